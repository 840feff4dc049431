// What a compilation tells about itself, for people and for programs.
#ifndef MGEC_TOOLS_COMPILE_REPORT_H_
#define MGEC_TOOLS_COMPILE_REPORT_H_

#include <cstdint>
#include <string>

#include "compiler/compile.h"

namespace mgec {

// "9.1 MB".
std::string SizeText(int64_t bytes);

// Some lines on the model `name`: its inputs and outputs, what it became, how large that is.
std::string ReportText(const std::string& name, const CompileReport& r);

// Where the time went.
std::string TimesText(const CompileReport& r);

// All of it as JSON, with the path of the artifact, or with what went wrong where `error` is not empty.
std::string ReportJson(const std::string& name, const CompileReport& r, const std::string& output, const std::string& error);

}  // namespace mgec

#endif  // MGEC_TOOLS_COMPILE_REPORT_H_
