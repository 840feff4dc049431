/* Marks what the shared library exports. */
#ifndef LITE_MACRO_H_
#define LITE_MACRO_H_

#define LITE_API __attribute__((visibility("default")))

#endif /* LITE_MACRO_H_ */
