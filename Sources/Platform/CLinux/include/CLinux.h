#pragma once
#include "gate_net.h"
