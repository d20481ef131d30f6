package org.example.shop

import org.example.prices.Price
import org.example.Util as U
import org.example.all.*

/** Sells. */
open class Shop(val limit: Int, name: String) : Store<Int>(), Keeper {
    private val count: Int = 0

    fun place(order: Order, late: Boolean): Boolean {
        return late
    }

    companion object {
        fun make(): Shop = Shop(1, "")
    }
}

interface Keeper {
    fun keep(order: Order)
}

object Single

enum class State { NEW, PAID }

fun String.twice(): String = this + this

private val hidden = 1
