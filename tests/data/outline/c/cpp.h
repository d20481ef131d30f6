#ifndef CPP_H
#define CPP_H
class InHeader {
public:
    void run();
};
#endif
