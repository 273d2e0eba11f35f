# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A build with Packer's QEMU builder. Not shown: drivers, the answer file's content, and updates.
#
#   packer init . && packer build -var iso_url=... -var iso_checksum=... -var password=... packer-qemu.pkr.hcl

packer {
  required_plugins {
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = ">= 1.1.0"
    }
    ansible = {
      source  = "github.com/hashicorp/ansible"
      version = ">= 1.1.0"
    }
  }
}

variable "iso_url" { type = string }
variable "iso_checksum" { type = string }
variable "password" {
  type      = string
  sensitive = true
}

source "qemu" "windows" {
  iso_url          = var.iso_url
  iso_checksum     = var.iso_checksum
  floppy_files     = ["autounattend.xml"]
  output_directory = "output"
  vm_name          = "windows.qcow2"
  format           = "qcow2"
  disk_size        = "40G"
  disk_interface   = "ide"
  net_device       = "e1000"
  memory           = 4096
  cpus             = 2
  headless         = true
  communicator     = "winrm"
  winrm_username   = "Administrator"
  winrm_password   = var.password
  winrm_timeout    = "2h"

  # The guest goes off by itself. When the time is over, Packer ends QEMU by force: so be generous.
  shutdown_command = "C:\\Windows\\System32\\Sysprep\\sysprep.exe /generalize /oobe /shutdown /quiet"
  shutdown_timeout = "1h"
}

build {
  sources = ["source.qemu.windows"]

  provisioner "ansible" {
    playbook_file = "packer-playbook.yml"
    user          = "Administrator"
    use_proxy     = false
    extra_arguments = [
      "--extra-vars", "ansible_connection=winrm ansible_winrm_transport=ntlm ansible_winrm_server_cert_validation=ignore",
    ]
  }

  # On the finished image, which nothing runs with any more; "here" is the host that Packer runs on.
  post-processor "shell-local" {
    inline = [
      "ansible-playbook -i packer-inventory.yml winguest.shutdown.prepare_image -e @packer-image.yml -e image_folder=$PWD/output",
    ]
  }
}
