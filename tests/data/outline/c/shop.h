#ifndef SHOP_H
#define SHOP_H

#include <stdio.h>
#include "prices/price.h"

#define LIMIT 3
#define MAX(a, b) \
    ((a) > (b) ? (a) : (b))

/* An order. */
typedef struct order {
    struct order *next;
    int id, counts[3];
    void (*done)(struct order *self);
    union {
        int whole;
        float part;
    };
} order_t, *order_p;

typedef struct { int x; } point;
typedef unsigned long number;
typedef order_t alias;
typedef int (*compare)(const void *, const void *);

struct forward;

enum state { NEW, PAID = 2 };
enum { LOOSE = 1 };

// Places it.
int order_place(order_t *order, int late);
extern const char *name, *names[3];
const order_t *order_find(
    int id,
    number limit);

static inline int twice(int x) { return 2 * x; }

#if defined(EXTRA)
int extra(void);
#elif OTHER
int other(void);
#else
int neither(void);
#endif

#endif
