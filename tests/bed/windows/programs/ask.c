/* SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/*
 * How a simulated program gets its answer from Python: over TCP to the address in WINGUEST_COMMANDS, ADDRESS:PORT:WORD.
 *
 *   question: WORD, a line feed, and the length and the UTF-8 text of the whole command line as the program sees it
 *   answer:   the status, the length of the output, the length of the error output, then both
 *
 * Every number has 32 bits, the lowest first. A length of 0xFFFFFFFF for the output says: do your own work, and so does
 * the absence of the variable.
 */

#include "ask.h"

#include <winsock2.h>
#include <windows.h>

enum { LONGEST = 32768, OWN_WORK = 0xFFFFFFFF };

static void fail(const char *why)
{
    DWORD written;
    WriteFile(GetStdHandle(STD_ERROR_HANDLE), why, lstrlenA(why), &written, NULL);
    ExitProcess(ERROR_GEN_FAILURE);
}

static void send_all(SOCKET server, const void *data, int length)
{
    for (const char *next = data; length > 0;) {
        int sent = send(server, next, length, 0);
        if (sent <= 0)
            fail("The test bed does not listen to this program.\r\n");
        next += sent;
        length -= sent;
    }
}

static int receive(SOCKET server, void *data, int length)
{
    int received = recv(server, data, length, 0);
    if (received <= 0)
        fail("The test bed does not answer this program.\r\n");
    return received;
}

static DWORD receive_number(SOCKET server)
{
    DWORD number;
    for (int have = 0; have < (int)sizeof number;)
        have += receive(server, (char *)&number + have, sizeof number - have);
    return number;
}

static void pass_on(SOCKET server, DWORD length, DWORD to)
{
    static char buffer[65536];
    DWORD written;
    while (length > 0) {
        int received = receive(server, buffer, length < sizeof buffer ? length : sizeof buffer);
        WriteFile(GetStdHandle(to), buffer, received, &written, NULL);
        length -= received;
    }
}

void ask(void)
{
    static char where[256], line[3 * LONGEST];
    if (!GetEnvironmentVariableA("WINGUEST_COMMANDS", where, sizeof where))
        return;
    char *port = where, *word;
    while (*port && *port != ':')
        port++;
    *port++ = 0;
    struct sockaddr_in address = {.sin_family = AF_INET};
    for (word = port; *word && *word != ':'; word++)
        address.sin_port = address.sin_port * 10 + (*word - '0');
    *word++ = '\n';
    address.sin_port = htons(address.sin_port);
    WSADATA data;
    WSAStartup(MAKEWORD(2, 2), &data);
    address.sin_addr.s_addr = inet_addr(where);
    SOCKET server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(server, (struct sockaddr *)&address, sizeof address))
        fail("The test bed is not there to answer this program.\r\n");
    send_all(server, word, lstrlenA(word));
    send_all(server, "\n", 1);
    DWORD length = WideCharToMultiByte(CP_UTF8, 0, GetCommandLineW(), -1, line, sizeof line, NULL, NULL) - 1;
    send_all(server, &length, sizeof length);
    send_all(server, line, length);
    DWORD status = receive_number(server), output = receive_number(server);
    if (output != OWN_WORK) {
        DWORD errors = receive_number(server);
        pass_on(server, output, STD_OUTPUT_HANDLE);
        pass_on(server, errors, STD_ERROR_HANDLE);
        ExitProcess(status);
    }
    closesocket(server);
}
