// Only in builds with ThreadSanitizer: g++ 12's does not see pthread_mutex_clocklock, by which
// std::timed_mutex waits, and takes what the mutex guards for unguarded. It sees
// pthread_mutex_timedlock, which waits by the wall clock.

#include <pthread.h>
#include <time.h>

extern "C" int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock,
                                       const timespec* deadline) noexcept {
  constexpr long kSecond = 1'000'000'000;
  timespec now{};
  timespec until{};
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += deadline->tv_sec - now.tv_sec;
  until.tv_nsec += deadline->tv_nsec - now.tv_nsec;
  if (until.tv_nsec < 0) {
    until.tv_nsec += kSecond;
    --until.tv_sec;
  } else if (until.tv_nsec >= kSecond) {
    until.tv_nsec -= kSecond;
    ++until.tv_sec;
  }
  return pthread_mutex_timedlock(mutex, &until);
}
