// What a C callback is called with, given back when the last user goes.
#ifndef MGEC_RUNTIME_LITE_USER_DATA_H_
#define MGEC_RUNTIME_LITE_USER_DATA_H_

namespace mgec {

class UserData {
 public:
  UserData(void* data, void (*release)(void*)) : data_(data), release_(release) {}
  ~UserData() {
    if (release_ != nullptr) release_(data_);
  }
  UserData(const UserData&) = delete;
  UserData& operator=(const UserData&) = delete;

  void* get() const { return data_; }

 private:
  void* data_;
  void (*release_)(void*);
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_USER_DATA_H_
