"""How agents are started, inspected and ended: one module for each kind of place.

A process proxy knows processes, not clients, owners or epochs; its callers check the epoch. Pure
functions interpret the responses of clusters (`pod_status`, `pod_end`, `spark_application_status`,
`yarn_application_status`) and build the requests (`manifests`, `spark_submit`); only
`kubernetes_cluster`, with its `kubernetes_connection`, and `yarn_cluster` call a cluster.
"""
