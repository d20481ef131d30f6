// Package shop sells.
package shop

import (
	"fmt"
	p "example.com/prices/v2"
	. "example.com/all"
	_ "example.com/driver"
	"gopkg.in/yaml.v3"
)

// State of an order.
type State int

const (
	New State = iota
	Paid
	done
)

const Limit, floor = 3, 1.5

var (
	Default = &Order{}
	names   map[string]int
)

// Order is placed by
// somebody.
type Order struct {
	Base
	*p.Price
	ID, Count int `json:"id"`
	items []string
}

type Store[K comparable, V any] struct {
	values map[K]V
}

type Keeper interface {
	fmt.Stringer
	Keep(order *Order) error
}

type Alias = Order

func (s *Store[K, V]) Get(key K) (V, error) {
	return s.values[key], nil
}

func (Order) Total() float64 { return 0 }

func Place(
	order *Order,
	late bool,
) error {
	return nil
}

func größe(x int) {}
