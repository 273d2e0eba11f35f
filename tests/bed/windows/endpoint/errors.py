# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SOAP faults that the endpoint answers, with the codes that Windows gives them.

Subcodes are those of DSP0226 (WS-Management), annex of faults; codes are those of Windows' wsmerror.h and winerror.h,
whose names stand beside them. The wording of the reasons is our own.
"""

from __future__ import annotations

from typing import Literal

ACCESS_DENIED = 5  # ERROR_ACCESS_DENIED
PIPE_CLOSED = 232  # ERROR_NO_DATA
ABORTED = 995  # ERROR_OPERATION_ABORTED
NOT_STARTED = 1359  # ERROR_INTERNAL_ERROR
NOT_ENOUGH_QUOTA = 1816  # ERROR_NOT_ENOUGH_QUOTA
INVALID_ACTION = 2150858753  # ERROR_WSMAN_INVALID_ACTIONURI
HEADER_REQUIRED = 2150858769  # ERROR_WSMAN_MESSAGE_INFORMATION_HEADER_REQUIRED
TIMED_OUT = 2150858793  # ERROR_WSMAN_OPERATION_TIMEDOUT
INVALID_RESOURCE = 2150858811  # ERROR_WSMAN_INVALID_RESOURCE_URI
SCHEMA_VALIDATION = 2150858817  # ERROR_WSMAN_SCHEMA_VALIDATION_ERROR
UNSUPPORTED_FEATURE = 2150858818  # ERROR_WSMAN_UNSUPPORTED_FEATURE
INSUFFICIENT_SELECTORS = 2150858842  # ERROR_WSMAN_INSUFFCIENT_SELECTORS
UNEXPECTED_SELECTORS = 2150858843  # ERROR_WSMAN_UNEXPECTED_SELECTORS
ENVELOPE_TOO_SMALL = 2150858878  # ERROR_WSMAN_MIN_ENVELOPE_SIZE
QUOTA_SHELLS = 2150859173  # ERROR_WSMAN_QUOTA_MAX_SHELLS, 0x803381A5
QUOTA_OPERATIONS = 2150859174  # ERROR_WSMAN_QUOTA_MAX_OPERATIONS, 0x803381A6


class SoapFault(Exception):
    """A request that is refused. `subcode` is a name with the prefix w (wsman.xsd) or a (WS-Addressing).

    `wmi`: the code comes as an MSFT_WmiError in place of a WSManFault, as Windows gives exceeded quotas of operations
    (pywinrm's tests have one as recorded); `detail`: the last part of a wsman/faultDetail URI.
    """

    def __init__(
        self,
        subcode: str,
        code: int,
        reason: str,
        *,
        at: Literal["Sender", "Receiver"] = "Sender",
        detail: str = "",
        wmi: bool = False,
    ) -> None:
        super().__init__(f"{subcode} ({code}): {reason}")
        self.subcode = subcode
        self.code = code
        self.reason = reason
        self.at = at
        self.detail = detail
        self.wmi = wmi


def access_denied() -> SoapFault:
    """The user may not do this."""
    return SoapFault("w:AccessDenied", ACCESS_DENIED, "Access is denied.")


def timed_out() -> SoapFault:
    """[MS-WSMV] 3.1.4.14: no output within the operation's time-out; the client is expected to ask again."""
    reason = "The operation did not end within the time given as OperationTimeout."
    return SoapFault("w:TimedOut", TIMED_OUT, reason, at="Receiver", detail="OperationTimeout")


def aborted() -> SoapFault:
    """The shell or the command went away during the request."""
    return SoapFault("w:InternalError", ABORTED, "The operation was aborted.", at="Receiver")


def no_such_shell(shell_id: str) -> SoapFault:
    """The shell was deleted, timed out or never was."""
    return SoapFault("w:InvalidSelectors", UNEXPECTED_SELECTORS, f"There is no shell with the ShellId {shell_id}.")


def no_such_command(command_id: str) -> SoapFault:
    """The command was terminated or never was. Windows gives the same code as for a shell (recorded by pypsrp)."""
    return SoapFault("w:InvalidSelectors", UNEXPECTED_SELECTORS, f"There is no command with the id {command_id}.")


def too_many_shells(limit: int) -> SoapFault:
    """MaxShellsPerUser."""
    reason = f"This user may have {limit} shells at once and has them already."
    return SoapFault("w:QuotaLimit", QUOTA_SHELLS, reason, at="Receiver")


def too_many_processes(limit: int) -> SoapFault:
    """MaxProcessesPerShell."""
    reason = f"This shell may have {limit} processes at once and has them already."
    return SoapFault("w:QuotaLimit", NOT_ENOUGH_QUOTA, reason, at="Receiver")


def too_many_operations() -> SoapFault:
    """MaxConcurrentOperationsPerUser. Ansible's winrm connection looks for this code, and makes a new shell."""
    reason = "This user has exceeded the number of operations at once."
    return SoapFault("w:InternalError", QUOTA_OPERATIONS, reason, at="Receiver", wmi=True)


def invalid(reason: str) -> SoapFault:
    """The message is not what the schema wants."""
    return SoapFault("w:SchemaValidationError", SCHEMA_VALIDATION, reason)
