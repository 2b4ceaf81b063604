/* Must not compile with the include path of src/ops, src/losses or src/optim (see tests/CMakeLists.txt). */
#include "tape.h"

int main(void)
{
    return 0;
}
