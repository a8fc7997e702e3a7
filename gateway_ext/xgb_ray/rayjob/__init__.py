"""Commands as RayJobs of a Kubernetes cluster (KubeRay), followed and fetched from the notebook.

The only room that knows Kubernetes. `entry_point` is what runs inside the job.
"""
