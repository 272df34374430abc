"""Calls the example `service` as a Python program does. Usage: service_client.py COMMAND..., which starts it."""

import os
import subprocess
import sys
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client

service = subprocess.Popen([*sys.argv[1:], "127.0.0.1", "0"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
try:
    line = service.stdout.readline().decode().strip()
    host, port = line.removeprefix("ready at ").split(":")
    address = (host, int(port))

    with Client(address, authkey=b"our secret") as connection:
        for _ in range(100):
            connection.send_bytes(b"to be or not to be")
            answer = connection.recv_bytes()
            assert answer == b"be 2\nnot 1\nor 1\nto 2\n", answer
        connection.send_bytes(b"word " * 1_000_000)
        answer = connection.recv_bytes()
        assert answer == b"word 1000000\n", answer

    # Who is in and says nothing holds up nobody else.
    with Client(address, authkey=b"our secret"), Client(address, authkey=b"our secret") as talker:
        for _ in range(10):
            with Client(address, authkey=b"our secret") as connection:
                connection.send_bytes(b"one")
                answer = connection.recv_bytes()
                assert answer == b"one 1\n", answer
        talker.send_bytes(b"two")
        answer = talker.recv_bytes()
        assert answer == b"two 1\n", answer

    # What is no message ends its client, and nothing else.
    with Client(address, authkey=b"our secret") as connection:
        os.write(connection.fileno(), b"\x80\0\0\0")
        try:
            connection.recv_bytes()
        except (EOFError, ConnectionResetError):
            pass
        else:
            raise AssertionError("nonsense was answered")

    # Somebody without the key gets nothing, and disturbs nobody.
    try:
        Client(address, authkey=b"another secret")
    except AuthenticationError:
        pass
    else:
        raise AssertionError("another key was good enough")

    with Client(address, authkey=b"our secret") as connection:
        connection.send_bytes(b"")
        answer = connection.recv_bytes()
        assert answer == b"", answer
        connection.send_bytes(b"bye")
    assert service.wait(200) == 0, service.returncode
finally:
    service.kill()
    service.wait()
print("the client was served")
