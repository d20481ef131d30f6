package org.example.shop;

import java.util.List;
import org.example.prices.*;
import static org.example.Util.round;
import org.example.Outer.Inner;

/**
 * Sells.
 */
@Annotated(value = "x")
public abstract class Shop<T extends Item> extends Store<T> implements Keeper, org.example.Dated {
    public static final int LIMIT = 3, FLOOR = 1;
    private final List<T> items;

    // Makes one.
    public Shop(List<T> items) {
        this.items = items;
    }

    @Override
    public <R> R place(
            Order order,
            boolean late) throws Late {
        return null;
    }

    protected abstract int count();

    private static class Line {
        int number;
    }

    enum State {
        NEW, PAID(1) { void extra() {} };

        int code() { return 1; }
    }
}

interface Keeper extends Base, Other<String> {
    int MAX = 10;
    void keep(Order order);
    default boolean both() { return true; }
}

public record Point(int x, List<String> names) implements Keeper {
    Point {
    }
}

@interface Annotated {
    String value() default "";
}
