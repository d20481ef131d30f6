<?php

namespace Example\Shop;

use Example\Prices\Price;
use Example\Util as U;
use Example\{One, Two as Second};

require_once __DIR__ . '/legacy.php';

/**
 * Sells.
 */
final class Shop extends Store implements Keeper
{
    use Dated;

    const LIMIT = 3;
    private int $count = 0;

    public function __construct(private readonly Price $price, int $plain)
    {
    }

    public static function make(int $limit = 1): ?self
    {
        return null;
    }
}

interface Keeper
{
    public function keep(Order $order): void;
}

enum State: string
{
    case New = 'n';
}

function helper(int $x): int
{
    return $x;
}
