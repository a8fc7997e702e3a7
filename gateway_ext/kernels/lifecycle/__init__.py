"""Starting kernels, handing them over to another gateway, and ending them. Nothing of requests."""
