#ifndef LITE_CPP_MACRO_H_
#define LITE_CPP_MACRO_H_

#include "../lite-c/macro.h"

#endif  // LITE_CPP_MACRO_H_
