"""The options of a lab, `c.JupyterFleet.…` in its configuration."""

from traitlets import Bool, Float, HasTraits, Int, List, Unicode


class LabOptions(HasTraits):
    """What `JupyterFleet` can be configured with."""

    database_url = Unicode(
        config=True,
        help="Database of names, versions, sessions and settings: sqlite:////absolute/path or "
        "mysql://user:password@host:port/database. Without it the extension does nothing.",
    )
    bucket_url = Unicode(
        config=True,
        help="Bucket of file bodies: s3://BUCKET[/PREFIX]?endpoint=http://host:port&region=R, or "
        "oss://… for Aliyun OSS. Credentials come from boto3's usual places.",
    )
    gateway_urls = List(
        Unicode(), config=True, help="Base URLs of gateways; one that answers is enough."
    )
    token_keys_file = Unicode(
        config=True, help="JWKS file with the public keys of the platform that issues tokens."
    )
    login_keys_file = Unicode(
        config=True,
        help="File with the keys that encrypt the tokens of logins in the database, the same for "
        'all labs: {"keys": [{"id": "…", "key": "<Fernet key>"}, …]}. The first one encrypts.',
    )
    shared_secrets_file = Unicode(
        config=True,
        help="File with the secrets that sign tickets of kernels and protect forms, the same for "
        'all labs: {"keys": [{"id": "…", "key": "<64 hexadecimal digits>"}, …]}. The first one '
        "signs, all are accepted. Without it that is the server's cookie_secret, which cannot be "
        "replaced while labs run.",
    )
    service_token_file = Unicode(
        config=True, help="File with this lab's own token, for background work without a user."
    )

    request_seconds = Float(
        60.0,
        config=True,
        help="Seconds that a client may take to send a request's headers, or to start the "
        "next request on the same connection.",
    )
    body_seconds = Float(
        600.0,
        config=True,
        help="Seconds that a client may take to send a request's body. The front buffers "
        "bodies, so only slow uploads directly to a lab take long.",
    )
    metrics_port = Int(
        0,
        min=0,
        max=65535,
        config=True,
        help="Port at which the lab answers /metrics (for Prometheus) and /health, without a "
        "token and at no other port; 0 for none.",
    )
    metrics_ip = Unicode(
        "127.0.0.1",
        config=True,
        help="Address of metrics_port. Only those who watch the fleet should be able to reach it.",
    )
    max_workspaces = Int(
        1000,
        min=1,
        config=True,
        help="How many workspaces (layouts of the page) each user may keep; further ones are "
        "rejected with 413.",
    )
    workspace_bytes = Int(
        64 * 1024 * 1024,
        min=1024 * 1024,
        config=True,
        help="Maximum size in bytes of each user's workspaces together; all of them are read to "
        "list them.",
    )

    stop_seconds = Float(
        5.0,
        config=True,
        help="Seconds that a lab which is stopping has to answer pending requests.",
    )

    export_seconds = Float(
        30.0,
        config=True,
        help="Seconds that converting a notebook to another format may take. At most two are "
        "converted at a time, each with up to 2 GB of memory.",
    )

    journal_bytes = Int(
        1024 * 1024 * 1024,
        min=1024 * 1024,
        config=True,
        help="How many bytes the store keeps of what one kernel says, compressed: about ten times "
        "as much output. What is older than that is deleted. JournalSweep.keep_days says for how "
        "long it is kept after the kernel's end.",
    )

    ticket_seconds = Float(
        900.0,
        min=1.0,
        config=True,
        help="Seconds for which a kernel's ticket is valid, with which what runs beside that "
        "kernel calls labs. The kernel's gateway gets a new one when half of the time has passed.",
    )

    frame_all_outputs = Bool(
        False,
        config=True,
        help="Whether pages draw users' own outputs as well like those of others: in frames "
        "without the page's origin. Widgets, and plots that need the page, are text then, and "
        "pages run no scripts but installed files.",
    )

    frame_url = Unicode(
        config=True,
        help="Another address of the fleet in browsers, https://HOST, of a host name that serves "
        "nothing but the frames in which outputs are drawn. Browsers that keep sites in processes "
        "of their own then keep such outputs out of the page's. Needs "
        "FleetIdentityProvider.public_url. Without it frames come from the fleet's own host.",
    )

    outputs_load_from_web = Bool(
        True,
        config=True,
        help="Whether outputs that a user does not trust may load scripts, styles, images and data "
        "by HTTPS. Plots often load their libraries so. What such an output loads, and from where, "
        "tells others that somebody looks at it.",
    )
