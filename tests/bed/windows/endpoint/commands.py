# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A command that runs in a shell: its process, and what is read from it and written to it."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from bed.windows.endpoint import errors
from bed.windows.endpoint.errors import SoapFault

STREAMS = ("stdout", "stderr")
CONTROL_C_EXIT = 0xC000013A  # STATUS_CONTROL_C_EXIT, ntstatus.h
GRACE = 2.0  # seconds between terminate() and kill()
STORE = 4 * 1024 * 1024  # bytes of output that are read ahead of the client
CHUNK = 65536
QUIET = 0.5  # seconds without output after which an ended process is done, though another holds its pipes
ENDING = 0.01  # how often to look whether a process without open pipes has ended


@dataclass
class Output:
    """What a client gets at once. The exit status comes with the last of it."""

    data: dict[str, bytes] = field(default_factory=dict)
    exit_status: int | None = None


class Command:
    """A command whose pipes are served by one thread, which never waits for the client."""

    def __init__(self, process: subprocess.Popen[bytes], gather: float) -> None:
        """`gather`: how long a client who would get output waits for the end of the process, in seconds."""
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("the process of a command needs pipes for stdin, stdout and stderr")
        self._process = process
        self._gather = gather
        self._changed = threading.Condition()
        self._stored = {name: bytearray() for name in STREAMS}
        self._input = bytearray()
        self._input_open = True  # the client has not said that this is the end
        self._interrupted = False
        self._abandoned = False
        self._exit_status: int | None = None
        self._wake = os.eventfd(0)
        self._pipes = {process.stdout.fileno(): "stdout", process.stderr.fileno(): "stderr"}
        self._stdin: int | None = process.stdin.fileno()
        os.set_blocking(self._stdin, False)
        self._thread = threading.Thread(target=self._serve, name=f"command {process.pid}")
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether its process is still there."""
        return self._exit_status is None

    def receive(self, streams: Sequence[str], room: int, wait: float) -> Output:
        """Up to `room` bytes of output as soon as there is any, and the exit status when there is no more to come."""
        deadline = time.monotonic() + wait

        def ready() -> bool:
            return self._abandoned or not self.running or any(self._stored[name] for name in streams)

        def complete() -> bool:
            return self._abandoned or not self.running or sum(len(self._stored[name]) for name in streams) >= room

        with self._changed:
            if not self._changed.wait_for(ready, wait):
                raise errors.timed_out()
            self._changed.wait_for(complete, min(self._gather, max(0.0, deadline - time.monotonic())))
            if self._abandoned:
                raise errors.aborted()
            output = Output()
            for name in streams:
                output.data[name] = bytes(self._stored[name][:room])
                del self._stored[name][:room]
                room -= len(output.data[name])
            if not any(self._stored[name] for name in streams):
                output.exit_status = self._exit_status
        self._call()
        return output

    def send(self, data: bytes, end: bool, wait: float) -> None:
        """Write to its standard input; what could not be written in time is written later."""
        with self._changed:
            if not self._input_open or not self.running:
                raise SoapFault("w:InternalError", errors.PIPE_CLOSED, "The pipe is being closed.", at="Receiver")
            self._input += data
            self._input_open = not end
            self._call()
            if not self._changed.wait_for(lambda: not self._input or not self.running or self._abandoned, wait):
                raise errors.timed_out()

    def interrupt(self) -> None:
        """End its process, as Ctrl+C does; what it has written can still be received."""
        with self._changed:
            self._interrupted = self.running
        self._end()

    def abandon(self) -> None:
        """Have it end, and refuse whoever waits for it."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()
        self._call()
        self._process.terminate()

    def close(self) -> None:
        """End it, and wait until nothing is left of it."""
        self.abandon()
        self._end()
        self._thread.join()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _call(self) -> None:
        """Have the thread look again at what is to be done."""
        with self._changed:
            if self.running:
                os.eventfd_write(self._wake, 1)

    def _serve(self) -> None:
        while (self._pipes or self._process.poll() is None) and not self._abandoned:
            for descriptor in self._wait():
                if descriptor == self._wake:
                    os.eventfd_read(self._wake)
                elif descriptor == self._stdin:
                    self._write(descriptor)
                else:
                    self._read(descriptor)
        status = self._process.wait()
        with self._changed:
            self._exit_status = CONTROL_C_EXIT if self._interrupted else status
            os.close(self._wake)
            self._changed.notify_all()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            self._close_pipe(pipe)

    def _wait(self) -> list[int]:
        """Wait until something can be read or written."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        with self._changed:
            open_pipes = [descriptor for descriptor, name in self._pipes.items() if len(self._stored[name]) < STORE]
            if self._stdin is not None and (self._input or not self._input_open):
                poll.register(self._stdin, select.POLLOUT)
        for descriptor in open_pipes:
            poll.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, dummy in poll.poll(1000 * (QUIET if self._pipes else ENDING))]
        if not ready and open_pipes and self._process.poll() is not None:
            self._pipes.clear()
        return ready

    def _read(self, descriptor: int) -> None:
        data = os.read(descriptor, CHUNK)
        with self._changed:
            if data:
                self._stored[self._pipes[descriptor]] += data
                self._changed.notify_all()
            else:
                del self._pipes[descriptor]

    def _write(self, descriptor: int) -> None:
        with self._changed:
            try:
                written = os.write(descriptor, self._input)
            except BrokenPipeError:
                written, self._input_open = len(self._input), False
            del self._input[:written]
            if not self._input:
                self._changed.notify_all()
                if not self._input_open:
                    self._stdin = None
                    self._close_pipe(self._process.stdin)

    @staticmethod
    def _close_pipe(pipe: IO[bytes] | None) -> None:
        if pipe is not None:
            pipe.close()
