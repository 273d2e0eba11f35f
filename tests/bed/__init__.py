# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test bed: guests and a private libvirt that are real, small and end with the tests that started them."""
