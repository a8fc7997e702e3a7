from jupyter_ext.fleet.store_sockets import remove_sockets


def test_a_store_that_has_ended_leaves_none_of_its_sockets_and_those_of_others(tmp_path):
    ours = [f"seaweedfs-{name}-grpc-{21000 + n}.sock" for n, name in enumerate(("s3", "master"))]
    others = ["seaweedfs-s3-grpc-21001.sock", "seaweedfs-lab-1-grpc-21002.sock"]
    for name in (*ours, *others):
        (tmp_path / name).touch()
    ports = {"store-s3": 11000, "store-master": 11001, "store-volume": 11003, "lab-1": 11002}
    remove_sockets(ports, tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(others)
