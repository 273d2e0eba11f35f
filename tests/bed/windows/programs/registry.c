/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/*
 * The registry for Python: does one request after the other from its standard input, until that ends. While it runs,
 * the guest lives.
 *
 *   request: what to do, one letter, and four fields, each with its length before it: key, name or file, type, data
 *   answer:  Windows' error number, and the length of what follows, which is a snapshot or nothing
 *
 * Every number has 32 bits, the lowest first; text is UTF-16. In a snapshot, "K" and a field begin a key with its whole
 * path, "V" and three fields are a value of it: name, type, data. A key that does not exist gives nothing.
 */

#include <stdio.h>
#include <windows.h>

#include <fcntl.h>
#include <io.h>

typedef struct {
    DWORD length;
    BYTE *bytes;
} Field;

enum { LONGEST_PATH = 32768, LONGEST_NAME = 16384 };

/* A snapshot in the making. */
static BYTE *snapshot;
static size_t used, room;

static void end(const char *why)
{
    fprintf(stderr, "registry.exe: %s\n", why);
    exit(1);
}

static void *more_memory(void *old, size_t size)
{
    void *new = realloc(old, size);
    if (!new)
        end("out of memory");
    return new;
}

static void add(const void *bytes, size_t length)
{
    if (used + length > room) {
        room = 2 * (used + length);
        snapshot = more_memory(snapshot, room);
    }
    memcpy(snapshot + used, bytes, length);
    used += length;
}

static void add_field(const void *bytes, DWORD length)
{
    add(&length, sizeof length);
    add(bytes, length);
}

static void add_values(HKEY key)
{
    static wchar_t name[LONGEST_NAME];
    static BYTE *data;
    static DWORD longest;
    LONG error = ERROR_SUCCESS;
    for (DWORD i = 0; error != ERROR_NO_MORE_ITEMS; i++) {
        DWORD type, name_length = LONGEST_NAME, length = longest;
        error = RegEnumValueW(key, i, name, &name_length, NULL, &type, data, &length);
        if (error == ERROR_MORE_DATA || (!error && length > longest)) {
            longest = length + 1024;
            data = more_memory(data, longest);
            i--;
        } else if (!error) {
            add("V", 1);
            add_field(name, name_length * sizeof(wchar_t));
            add_field(&type, sizeof type);
            add_field(data, length);
        } else if (error != ERROR_NO_MORE_ITEMS) {
            return; /* The key has just been deleted. */
        }
    }
}

/* `path` has the whole path of the key, which is so long. */
static void add_tree(HKEY key, wchar_t *path, size_t length)
{
    add("K", 1);
    add_field(path, length * sizeof(wchar_t));
    add_values(key);
    path[length] = '\\';
    for (DWORD i = 0;; i++) {
        DWORD name_length = LONGEST_PATH - length - 2;
        HKEY child;
        if (RegEnumKeyExW(key, i, path + length + 1, &name_length, NULL, NULL, NULL, NULL))
            return;
        if (RegOpenKeyExW(key, path + length + 1, 0, KEY_READ, &child))
            continue;
        add_tree(child, path, length + 1 + name_length);
        RegCloseKey(child);
    }
}

static HKEY root_of(const wchar_t *path, const wchar_t **below)
{
    size_t length = wcscspn(path, L"\\");
    *below = path + length + (path[length] != 0);
    if (length == 4 && !_wcsnicmp(path, L"HKLM", length))
        return HKEY_LOCAL_MACHINE;
    if (length == 3 && !_wcsnicmp(path, L"HKU", length))
        return HKEY_USERS;
    return NULL;
}

static LONG take_snapshot(HKEY root, const wchar_t *below, const wchar_t *whole)
{
    static wchar_t path[LONGEST_PATH];
    HKEY key;
    LONG error = RegOpenKeyExW(root, below, 0, KEY_READ, &key);
    if (error)
        return error == ERROR_FILE_NOT_FOUND ? ERROR_SUCCESS : error;
    add_tree(key, wcscpy(path, whole), wcslen(whole));
    RegCloseKey(key);
    return ERROR_SUCCESS;
}

static LONG open_or_create(HKEY root, const wchar_t *below, HKEY *key)
{
    return RegCreateKeyExW(root, below, 0, NULL, 0, KEY_ALL_ACCESS, NULL, key, NULL);
}

static LONG set_value(HKEY root, const wchar_t *below, const wchar_t *name, const Field *type, const Field *data)
{
    HKEY key;
    LONG error = open_or_create(root, below, &key);
    if (error)
        return error;
    error = RegSetValueExW(key, name, 0, *(DWORD *)type->bytes, data->bytes, data->length);
    RegCloseKey(key);
    return error;
}

static LONG create_key(HKEY root, const wchar_t *below)
{
    HKEY key;
    LONG error = open_or_create(root, below, &key);
    if (!error)
        RegCloseKey(key);
    return error;
}

static LONG delete_value(HKEY root, const wchar_t *below, const wchar_t *name)
{
    HKEY key;
    LONG error = RegOpenKeyExW(root, below, 0, KEY_SET_VALUE, &key);
    if (error)
        return error;
    error = RegDeleteValueW(key, name);
    RegCloseKey(key);
    return error;
}

static LONG save_key(HKEY root, const wchar_t *below, const wchar_t *file)
{
    HKEY key;
    LONG error = RegOpenKeyExW(root, below, 0, KEY_READ, &key);
    if (error)
        return error;
    error = RegSaveKeyW(key, file, NULL);
    RegCloseKey(key);
    return error;
}

static void enable(const wchar_t *privilege)
{
    HANDLE token;
    TOKEN_PRIVILEGES wanted = {1, {{{0, 0}, SE_PRIVILEGE_ENABLED}}};
    OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token);
    LookupPrivilegeValueW(NULL, privilege, &wanted.Privileges[0].Luid);
    AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL);
    CloseHandle(token);
}

static LONG done(char what, const Field *fields)
{
    const wchar_t *whole = (wchar_t *)fields[0].bytes, *name = (wchar_t *)fields[1].bytes, *below;
    HKEY root = root_of(whole, &below);
    if (!root)
        return ERROR_INVALID_PARAMETER;
    switch (what) {
    case 'R':
        return take_snapshot(root, below, whole);
    case 'S':
        return set_value(root, below, name, &fields[2], &fields[3]);
    case 'C':
        return create_key(root, below);
    case 'D':
        return delete_value(root, below, name);
    case 'T':
        return RegDeleteTreeW(root, below);
    case 'L':
        return RegLoadKeyW(root, below, name);
    case 'A':
        return save_key(root, below, name);
    case 'U':
        return RegUnLoadKeyW(root, below);
    }
    return ERROR_INVALID_FUNCTION;
}

/* A field with 4 bytes of 0 after it, so that it ends as a text, and is a number if it has nothing. */
static void read_field(Field *field)
{
    if (fread(&field->length, sizeof field->length, 1, stdin) != 1)
        end("torn request");
    field->bytes = more_memory(field->bytes, field->length + 4);
    memset(field->bytes + field->length, 0, 4);
    if (field->length && fread(field->bytes, field->length, 1, stdin) != 1)
        end("torn request");
}

int wmain(void)
{
    static Field fields[4];
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    CreateMutexW(NULL, TRUE, L"winguest"); /* See launcher.c. */
    enable(SE_BACKUP_NAME);
    enable(SE_RESTORE_NAME);
    for (int what; (what = getchar()) != EOF;) {
        for (int i = 0; i < 4; i++)
            read_field(&fields[i]);
        used = 0;
        DWORD header[2];
        header[0] = done(what, fields);
        header[1] = used;
        fwrite(header, sizeof header, 1, stdout);
        fwrite(snapshot, 1, used, stdout);
        fflush(stdout);
    }
    return 0;
}
