#include "shop.hpp"

namespace shop {

template <class T>
bool inner::Shop<T>::place(const T &order)
{
    return true;
}

Shop::Shop(int limit) : count_(limit) {}

int &Shop::ref() { return count_; }

namespace {
int hidden() { return 1; }
}

}
