#pragma once
#include <vector>
#include "base.hpp"

namespace shop::inner {

/// Sells.
template <class T>
class Shop final : public Store<T>, private util::Dated {
public:
    explicit Shop(int limit);
    virtual ~Shop() = default;
    bool operator==(const Shop &other) const;

    // Places it.
    template <typename O>
    bool place(const O &order, bool late = false);
    int count() const noexcept { return count_; }
    static Shop *make();

    enum class State { New, Paid };
    struct Line { int number = 0; };

private:
    int count_ = 0;
    std::vector<T> items_;
};

enum Colour { RED, GREEN };
using Orders = std::vector<Order>;
class Forward;

template <typename T>
concept Ordered = true;

auto total(const Orders &orders) -> double;

}  // namespace shop::inner

extern "C" {
int from_c(void);
}
