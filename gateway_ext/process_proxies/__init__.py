"""How agents are started, looked at and ended: one module for each kind of place.

A process proxy knows processes, not clients, owners or epochs; those who call it hold the epoch.
What clusters answer is judged by pure functions (`pod_status`, `spark_application_status`,
`yarn_application_status`), what is sent to them is made by pure functions (`manifests`,
`spark_submit`); calls to a cluster are in `kubernetes_cluster` and `yarn_cluster` alone.
"""
