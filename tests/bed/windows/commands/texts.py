# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Windows prints in the language of the guest: the messages of errors by number, and lines of the programs.

The English messages are those of winerror.h's numbers in Microsoft's list of system error codes. The German ones are as
published transcripts have them where we know one, else our own translation: nothing may depend on their wording.
"""

from __future__ import annotations

from collections.abc import Mapping

from bed.windows.systems import Language

ERROR_FILE_NOT_FOUND = 2
ERROR_ACCESS_DENIED = 5
ERROR_NOT_READY = 21
ERROR_SHARING_VIOLATION = 32
ERROR_INVALID_PARAMETER = 87
ERROR_SHUTDOWN_IN_PROGRESS = 1115
ERROR_NO_SHUTDOWN_IN_PROGRESS = 1116
ERROR_SHUTDOWN_IS_SCHEDULED = 1190
ERROR_ACCESS_DISABLED_BY_POLICY = 1260
ERROR_PRIVILEGE_NOT_HELD = 1314
ERROR_EVT_INVALID_QUERY = 15001
ERROR_EVT_CHANNEL_NOT_FOUND = 15007

ENGLISH: Mapping[int, str] = {
    ERROR_FILE_NOT_FOUND: "The system cannot find the file specified.",
    ERROR_ACCESS_DENIED: "Access is denied.",
    ERROR_NOT_READY: "The device is not ready.",
    ERROR_SHARING_VIOLATION: "The process cannot access the file because it is being used by another process.",
    ERROR_INVALID_PARAMETER: "The parameter is incorrect.",
    ERROR_SHUTDOWN_IN_PROGRESS: "A system shutdown is in progress.",
    ERROR_NO_SHUTDOWN_IN_PROGRESS: "Unable to abort the system shutdown because no shutdown was in progress.",
    ERROR_SHUTDOWN_IS_SCHEDULED: "A system shutdown has already been scheduled.",
    ERROR_ACCESS_DISABLED_BY_POLICY: (
        "This program is blocked by group policy. For more information, contact your system administrator."
    ),
    ERROR_PRIVILEGE_NOT_HELD: "A required privilege is not held by the client.",
    ERROR_EVT_INVALID_QUERY: "The specified query is invalid.",
    ERROR_EVT_CHANNEL_NOT_FOUND: "The specified channel could not be found. Check channel configuration.",
}
GERMAN: Mapping[int, str] = {
    ERROR_FILE_NOT_FOUND: "Das System kann die angegebene Datei nicht finden.",
    ERROR_ACCESS_DENIED: "Zugriff verweigert",
    ERROR_NOT_READY: "Das Gerät ist nicht bereit.",
    ERROR_SHARING_VIOLATION: (
        "Der Prozess kann nicht auf die Datei zugreifen, da sie von einem anderen Prozess verwendet wird."
    ),
    ERROR_INVALID_PARAMETER: "Falscher Parameter.",
    ERROR_SHUTDOWN_IN_PROGRESS: "Das System wird heruntergefahren.",
    ERROR_NO_SHUTDOWN_IN_PROGRESS: (
        "Das Herunterfahren des Systems kann nicht abgebrochen werden, da das System nicht heruntergefahren wird."
    ),
    ERROR_SHUTDOWN_IS_SCHEDULED: "Das Herunterfahren des Systems wurde bereits geplant.",
    ERROR_ACCESS_DISABLED_BY_POLICY: (
        "Dieses Programm wurde durch eine Gruppenrichtlinie geblockt. Wenden Sie sich an den Systemadministrator."
    ),
    ERROR_PRIVILEGE_NOT_HELD: "Dem Client fehlt ein erforderliches Recht.",
    ERROR_EVT_INVALID_QUERY: "Die angegebene Abfrage ist ungültig.",
    ERROR_EVT_CHANNEL_NOT_FOUND: "Der angegebene Kanal wurde nicht gefunden. Überprüfen Sie die Kanalkonfiguration.",
}


def message(code: int, language: Language) -> str:
    """Windows' text for an error."""
    return (GERMAN if language == "de-DE" else ENGLISH).get(code) or f"0x{code:x}"


def translated(language: Language, english: str, german: str) -> str:
    """The one of the two that the guest speaks."""
    return german if language == "de-DE" else english
