"""The agent: a small process next to each kernel, which is its parent and its only client.

It starts the kernel, keeps the numbered journal of what the kernel says and holds one connection
to one gateway (docs/protocols.md). It runs in the kernel's environment: the standard library,
pyzmq, jupyter_client and tornado may be imported here, and of this project only `jupyter_ext.wire`
(`python_kernel`, `output_credit`, `private_iopub`, `text_packer`, `kept_output` and
`written_output`, which are the kernel and not the agent, use ipykernel and IPython). `cgroup`,
`process_identity`, `process_tree`, `start_document` and `walls` need the standard library alone,
and the gateway uses them as well. `segments` is the journal's part on disk, `tail` what is sent of
it to be kept elsewhere, `requests` what is known of requests.
"""
