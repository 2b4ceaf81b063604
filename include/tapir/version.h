/* tapir/version.h -- which Tapir this is.  CMakeLists.txt checks that project(VERSION) says the same. */
#ifndef TAPIR_VERSION_H
#define TAPIR_VERSION_H

#define TP_VERSION_MAJOR 0
#define TP_VERSION_MINOR 1
#define TP_VERSION_PATCH 0

#define TP_VERSION "0.1.0"

#endif
