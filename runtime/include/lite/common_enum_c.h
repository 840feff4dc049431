#ifndef LITE_CPP_COMMON_ENUM_C_H_
#define LITE_CPP_COMMON_ENUM_C_H_

#include "../lite-c/common_enum_c.h"

#endif  // LITE_CPP_COMMON_ENUM_C_H_
