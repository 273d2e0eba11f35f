# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user may write into a key, a name, a GUID and data, and how what may not be is refused."""

from __future__ import annotations

import typing as t
import unicodedata

import hypothesis
import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils import _catalogue_input as catalogue_input
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import CatalogueError
from hypothesis import strategies as st

# Any text, often with what is dangerous in it.
DANGEROUS = '"%!^*?\\/&|<>()\r\n\t\0\x1b\x7f\x85\u200b\u202e\u2028\ufeff\ue000\ufffe\U0001f600\ud800 aé'
TEXTS = st.text(st.one_of(st.sampled_from(DANGEROUS), st.characters()), max_size=30)
CHECKS: dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "text": catalogue_input.check_text,
    "key": catalogue_input.check_key,
    "user key": catalogue_input.check_user_key,
    "name": catalogue_input.check_name,
    "guid": catalogue_input.check_guid,
}


def refusal(check: t.Callable[..., t.Any], *arguments: t.Any) -> str:
    """The text of the error that this call raises."""
    with pytest.raises(CatalogueError) as error:
        check(*arguments)
    return str(error.value)


def is_safe(text: str) -> bool:
    """Whether a text in double quotes stays one argument, on one line, and is taken as it is by cmd.exe."""
    seen = all(char.isprintable() or unicodedata.category(char) == "Zs" for char in text)
    return seen and len(text.splitlines()) <= 1 and not set(text) & set('"%!^*?')


@hypothesis.given(st.sampled_from(sorted(CHECKS)), TEXTS, st.sampled_from(["", "HKLM\\SOFTWARE\\", "Software\\"]))
def test_what_is_accepted_is_safe(name: str, text: str, prefix: str) -> None:
    """Anything else is refused with an error that begins with the place and can be printed as it is."""
    try:
        accepted = CHECKS[name](prefix + text, "the place")
    except CatalogueError as error:
        assert str(error).startswith("the place is ") or str(error).startswith("the place has ")
        assert str(error).isprintable()
    else:
        assert is_safe(accepted)
        assert all(ord(char) <= 0xFFFF for char in accepted)


@hypothesis.given(st.one_of(TEXTS, st.lists(TEXTS), st.integers(), st.booleans(), st.none(), st.floats()))
def test_data_that_is_accepted_is_of_its_type(data: t.Any) -> None:
    for value_type in catalogue_input.USER_TYPES:
        try:
            accepted = catalogue_input.check_data(data, value_type, "the place")
        except CatalogueError as error:
            assert str(error).startswith("the place")
            assert str(error).isprintable()
            continue
        if value_type in ("REG_DWORD", "REG_QWORD"):
            assert isinstance(accepted, int) and not isinstance(accepted, bool)
            assert 0 <= accepted < 2**64
        elif value_type in ("REG_SZ", "REG_EXPAND_SZ"):
            assert accepted == data
            assert is_safe(data)
        elif value_type == "REG_MULTI_SZ":
            assert accepted == tuple(data)
            assert all(part and is_safe(part) for part in data)
            # This is how reg.exe is given them, and how it takes them apart.
            assert tuple("\\0".join(data).split("\\0")) == (tuple(data) or ("",))
        else:
            assert isinstance(accepted, bytes)
            assert accepted.hex() == data.lower()


@pytest.mark.parametrize(
    "text", ["", "a & b | c < d > e (f) g", "it's `so`, ; = @ $ # ~ + [x] {y}", "é ü 漢字", "C:\\dir\\", "a\xa0b"]
)
def test_text_that_can_be_carried(text: str) -> None:
    assert catalogue_input.check_text(text, "here") == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('a"b', 'here has the character " in it: cmd.exe would end the quotation there; leave it out, or'),
        ("%PATH%", "here has the character % in it: cmd.exe would put a variable there; leave it out, or"),
        ("wow!", "here has the character ! in it: cmd.exe may put a variable there; leave it out, or"),
        ("a^b", "here has the character ^ in it: cmd.exe may take it for its escape character; leave it out, or"),
        (
            "*.txt",
            "here has the character * in it: cmd.exe would take it for a pattern of file names; leave it out, or",
        ),
        ("a?", "here has the character ? in it: cmd.exe would take it for a pattern of file names; leave it out, or"),
        ("a\nb", "here has the character U+000A in it, which is a control character, cannot be seen, or is"),
        ("a\u202eb", "here has the character U+202E in it, which is a control character, cannot be seen, or is"),
        ("\U0001f600", "here has the character U+1F600 in it, which is a control character, cannot be seen, or is"),
        ("\ud800", "here has the character U+D800 in it, which is a control character, cannot be seen, or is"),
        ("x" * 1001, "here has 1001 characters; at most 1000 can be carried: shorten it"),
        (5, "here is the number 5; it must be a text: write it in quotes"),
        (True, "here is the boolean true; it must be a text: write it in quotes"),
        (None, "here is nothing; it must be a text: write it in quotes"),
    ],
)
def test_text_that_cannot_be_carried(text: t.Any, reason: str) -> None:
    assert refusal(catalogue_input.check_text, text, "here").startswith(reason)


@pytest.mark.parametrize(
    ("key", "normal"),
    [
        (r"HKLM\SOFTWARE\Example", r"HKLM\SOFTWARE\Example"),
        (r"hklm\software\Example\a b", r"HKLM\SOFTWARE\Example\a b"),
        (r"HKLM:\Software\Example", r"HKLM\SOFTWARE\Example"),
        (r"HKEY_LOCAL_MACHINE\System\CurrentControlSet\Control", r"HKLM\SYSTEM\CurrentControlSet\Control"),
        (r"HKLM\SYSTEM\Setup", r"HKLM\SYSTEM\Setup"),
        (r"HKLM\SYSTEM\ControlSet001x", r"HKLM\SYSTEM\ControlSet001x"),
    ],
)
def test_keys(key: str, normal: str) -> None:
    assert catalogue_input.check_key(key, "here") == normal


@pytest.mark.parametrize(
    "key",
    [
        *("", "SOFTWARE\\Example", "HKLM", "HKLM\\SOFTWARE", "HKLM\\SAM\\SAM", "HKLM\\SECURITY\\Policy"),
        *(
            "HKCU\\Software\\Example",
            "HKEY_USERS\\.DEFAULT\\Example",
            "HKLM/SOFTWARE/Example",
            "HKLM\\SOFTWAREX\\Example",
        ),
    ],
)
def test_keys_of_other_hives(key: str) -> None:
    complaint = refusal(catalogue_input.check_key, key, "here")
    assert complaint.startswith(f"here is {key!r}; it must begin with HKLM\\SOFTWARE\\ or HKLM\\SYSTEM\\")
    assert "use user instead of registry" in complaint


@pytest.mark.parametrize("path", ["", "\\a", "a\\", "a\\\\b", " a", "a \\b", "a\\" + "b" * 256])
def test_keys_with_broken_paths(path: str) -> None:
    assert "between its backslashes must be names" in refusal(
        catalogue_input.check_key, f"HKLM\\SOFTWARE\\{path}", "here"
    )
    assert "between its backslashes must be names" in refusal(catalogue_input.check_user_key, path, "here")


@pytest.mark.parametrize("key", [r"HKLM\SYSTEM\ControlSet001\Control", r"HKLM\SYSTEM\controlset002"])
def test_keys_of_one_control_set(key: str) -> None:
    assert "write CurrentControlSet" in refusal(catalogue_input.check_key, key, "here")


def test_user_keys() -> None:
    assert catalogue_input.check_user_key(r"Control Panel\Desktop", "here") == r"Control Panel\Desktop"
    for key in (r"HKCU\Software", r"HKCU:\Software", r"HKEY_CURRENT_USER\Software", r"HKU\S-1-5-18\Software", "HKLM"):
        complaint = refusal(catalogue_input.check_user_key, key, "here")
        assert (
            complaint
            == rf"here is {key!r}; give it without a root, as in Control Panel\Desktop: it is set for every user"
        )


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "/v", "-x"])
def test_names_that_reg_would_take_for_something_else(name: str) -> None:
    complaint = refusal(catalogue_input.check_name, name, "here")
    assert complaint.startswith(f"here is {name!r}; ")


def test_guids() -> None:
    guid = "7648efa3-dd9c-4e3e-b566-50f929386280"
    for text in (guid, guid.upper(), f"{{{guid}}}"):
        assert catalogue_input.check_guid(text, "here") == guid
    for text in (guid[:-1], f"{guid}0", guid.replace("-", ""), f"{{{{{guid}}}}}", guid.replace("7", "g")):
        assert "it must be a GUID, as 7648efa3-" in refusal(catalogue_input.check_guid, text, "here")


@pytest.mark.parametrize(
    ("data", "value_type", "complaint"),
    [
        ("1", "REG_DWORD", "here is the text '1'; a REG_DWORD takes a number, as 1: without quotes, in a template"),
        (True, "REG_DWORD", "here is the boolean true; a REG_DWORD takes a number, as 1: without quotes"),
        (1.5, "REG_DWORD", "here is the number 1.5; a REG_DWORD takes a number"),
        ([1], "REG_DWORD", "here is the list [1]; a REG_DWORD takes a number"),
        (None, "REG_DWORD", "here is nothing; a REG_DWORD takes a number"),
        (-1, "REG_DWORD", "here is -1; a REG_DWORD takes a number from 0 to 4294967295"),
        (2**32, "REG_DWORD", "here is 4294967296; a REG_DWORD takes a number from 0 to 4294967295"),
        (2**64, "REG_QWORD", "here is 18446744073709551616; a REG_QWORD takes a number from 0 to 18446744073709551615"),
        (20000, "REG_SZ", "here is the number 20000; it must be a text: write it in quotes"),
        ("a", "REG_MULTI_SZ", "here is the text 'a'; a REG_MULTI_SZ takes a list of texts"),
        (["a", 1], "REG_MULTI_SZ", "here[1] is the number 1; it must be a text: write it in quotes"),
        (["a", ""], "REG_MULTI_SZ", "here[1] is ''; a part must not be empty, and \\0 would divide it"),
        (["a\\0b"], "REG_MULTI_SZ", "here[0] is 'a\\\\0b'; a part must not be empty, and \\0 would divide it"),
        (["a" * 600, "b" * 600], "REG_MULTI_SZ", "here is longer than the 1000 characters that can be carried"),
        ("0", "REG_BINARY", "here is the text '0'; a REG_BINARY takes pairs of hexadecimal digits"),
        ("0x10", "REG_BINARY", "here is the text '0x10'; a REG_BINARY takes pairs of hexadecimal digits"),
        (10, "REG_BINARY", "here is the number 10; a REG_BINARY takes pairs of hexadecimal digits"),
        ("00" * 501, "REG_BINARY", "here is the text '000"),
    ],
)
def test_data_of_the_wrong_type(data: t.Any, value_type: str, complaint: str) -> None:
    assert refusal(catalogue_input.check_data, data, value_type, "here").startswith(complaint)


def test_data_that_is_never_written_may_have_anything_that_can_be_seen() -> None:
    data = ["autocheck autochk *"]
    assert catalogue_input.check_data(data, "REG_MULTI_SZ", "here", written=False) == ("autocheck autochk *",)
    assert "pattern of file names" in refusal(catalogue_input.check_data, data, "REG_MULTI_SZ", "here")
    assert "U+0000" in refusal(catalogue_input.check_data, ["a\0"], "REG_MULTI_SZ", "here", False)
