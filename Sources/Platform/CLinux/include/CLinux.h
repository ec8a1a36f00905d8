// What Castle needs of Linux and Swift's Glibc module does not offer. One header per user.
#pragma once
#include "castle_process.h"
#include "castle_files.h"
#include "gate_net.h"
#include "gate_datagram.h"
#include "gate_shield.h"
#include "gate_memory.h"
