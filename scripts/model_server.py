"""Serves one GGUF file on 127.0.0.1 with llama.cpp's HTTP server until SIGTERM or SIGINT."""

import signal
import sys

from xllamacpp import CommonParams, Server


def main() -> None:
    weights, port = sys.argv[1], int(sys.argv[2])
    params = CommonParams()
    params.model.path = weights
    params.n_ctx = 4096
    params.n_parallel = 2  # two streams at once, each with half of the context
    params.cpuparams.n_threads = 2
    params.hostnames = ["127.0.0.1"]
    params.port = port
    ended = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ended)  # before the server starts its threads, so that they inherit it
    server = Server(params)
    print(f"serving {weights} on http://127.0.0.1:{port}/v1", flush=True)
    signal.sigwait(ended)
    del server


if __name__ == "__main__":
    main()
