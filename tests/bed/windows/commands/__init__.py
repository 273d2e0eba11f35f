# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulated programs of a simulated Windows guest answer.

    with CommandServer(windows) as server:
        wine.variables.update(server.variables)

Each program is a function of its command line and of the guest's state. Its output, its exit status and what it changes
are those of the Windows program of that name, from Microsoft's documentation and published transcripts, as far as the
options are concerned that have to do with a shutdown; other options are refused as unknown ones are.

    types.py       what the functions get and return
    server.py      the server that the programs in Wine ask
    line.py        taking a command line apart
    texts.py       what Windows translates
    faults.py      programs that go wrong when a test wants it
    powercfg.py, reg.py, shutdown.py, tasklist.py, wevtutil.py   the programs
    event_query.py the queries of wevtutil
"""

from __future__ import annotations

from bed.windows.commands.server import CommandServer
from bed.windows.commands.types import Answer, Invocation, Process, Windows

__all__ = ["Answer", "CommandServer", "Invocation", "Process", "Windows"]
