/* Preloaded into a process, counts what a thread allocates, frees and locks while it drives a callback. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

/* Of each thread, so that no other undoes a count; initial-exec: else the first look would itself allocate. */
static __thread __attribute__((tls_model("initial-exec"))) int64_t armed, allocations, locks;

void *malloc(size_t size) { allocations += armed; return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { allocations += armed; return __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { allocations += armed; return __libc_realloc(old, size); }
void *memalign(size_t align, size_t size) { allocations += armed; return __libc_memalign(align, size); }
void *aligned_alloc(size_t align, size_t size) { allocations += armed; return __libc_memalign(align, size); }
void free(void *memory) { allocations += armed; __libc_free(memory); }

int posix_memalign(void **memory, size_t align, size_t size)
{
    allocations += armed;
    *memory = __libc_memalign(align, size);
    return *memory ? 0 : 12; /* ENOMEM */
}

#define COUNTED(name, parameters, arguments)                                       \
    int name parameters                                                            \
    {                                                                              \
        static int(*next) parameters;                                              \
        if (!next) next = (int(*) parameters)dlsym(RTLD_NEXT, #name);              \
        locks += armed;                                                            \
        return next arguments;                                                     \
    }

COUNTED(pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
COUNTED(pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex))
COUNTED(pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
COUNTED(pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock))
COUNTED(sem_wait, (sem_t * semaphore), (semaphore))

typedef int callback(const void *, void *, unsigned long, const void *, unsigned long, void *);

/* Calls `call` for `blocks` blocks of the `sizes` in turn; counts[0] is of memory, counts[1] of locks. */
void drive(callback *call, void *userdata, const void *input, void *output, int64_t blocks,
           const int64_t *sizes, int64_t size_count, int64_t *counts)
{
    double times[3] = {0.0, 0.0, 0.0};
    allocations = locks = 0;
    armed = 1;
    for (int64_t block = 0; block < blocks; block++) {
        times[1] = block + 1.0; /* each 1000th says that it is late */
        call(input, output, (unsigned long)sizes[block % size_count], times, block % 1000 == 0 ? 4 : 0, userdata);
    }
    armed = 0;
    counts[0] = allocations;
    counts[1] = locks;
}
