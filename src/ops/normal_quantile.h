/* normal_quantile.h -- the quantile function of the normal distribution.
 *
 * Algorithm AS 241, PPND16: M. J. Wichura, "The percentage points of the normal distribution", Applied Statistics 37 (1988),
 * 477-484.  Relative error about 1e-16, to which the rounding of a dozen operations adds.
 */
#ifndef TAPIR_SRC_OPS_NORMAL_QUANTILE_H
#define TAPIR_SRC_OPS_NORMAL_QUANTILE_H

#include <tapir/scalar.h>

/* -z of the z < 0 below which a part u of the distribution lies, for CENTRE <= u <= 1/2. */
#define TP__QUANTILE_CENTRE 0.075
static inline double tp__quantile_centre(double u)
{
    const double q = 0.5 - u, r = 0.180625 - q * q;
    const double above =
        ((((((2.5090809287301226727e+3 * r + 3.3430575583588128105e+4) * r + 6.7265770927008700853e+4) * r +
            4.5921953931549871457e+4) *
               r +
           1.3731693765509461125e+4) *
              r +
          1.9715909503065514427e+3) *
             r +
         1.3314166789178437745e+2) *
            r +
        3.3871328727963666080e+0;
    const double below =
        ((((((5.2264952788528545610e+3 * r + 2.8729085735721942674e+4) * r + 3.9307895800092710610e+4) * r +
            2.1213794301586595867e+4) *
               r +
           5.3941960214247511077e+3) *
              r +
          6.8718700749205790830e+2) *
             r +
         4.2313330701600911252e+1) *
            r +
        1.0;
    return q * above / below;
}

/* The same for 0 < u < CENTRE. */
static inline double tp__quantile_tail(double u)
{
    const double root = TP_SQRT(-TP_LOG(u)), near = root - 1.6, far = root - 5;
    const double near_above = ((((((7.74545014278341407640e-4 * near + 2.27238449892691845833e-2) * near +
                                   2.41780725177450611770e-1) *
                                      near +
                                  1.27045825245236838258e+0) *
                                     near +
                                 3.64784832476320460504e+0) *
                                    near +
                                5.76949722146069140550e+0) *
                                   near +
                               4.63033784615654529590e+0) *
                                  near +
                              1.42343711074968357734e+0;
    const double near_below = ((((((1.05075007164441684324e-9 * near + 5.47593808499534494600e-4) * near +
                                   1.51986665636164571966e-2) *
                                      near +
                                  1.48103976427480074590e-1) *
                                     near +
                                 6.89767334985100004550e-1) *
                                    near +
                                1.67638483018380384940e+0) *
                                   near +
                               2.05319162663775882187e+0) *
                                  near +
                              1.0;
    const double far_above = ((((((2.01033439929228813265e-7 * far + 2.71155556874348757815e-5) * far +
                                  1.24266094738807843860e-3) *
                                     far +
                                 2.65321895265761230930e-2) *
                                    far +
                                2.96560571828504891230e-1) *
                                   far +
                               1.78482653991729133580e+0) *
                                  far +
                              5.46378491116411436990e+0) *
                                 far +
                             6.65790464350110377720e+0;
    const double far_below = ((((((2.04426310338993978564e-15 * far + 1.42151175831644588870e-7) * far +
                                  1.84631831751005468180e-5) *
                                     far +
                                 7.86869131145613259100e-4) *
                                    far +
                                1.48753612908506148525e-2) *
                                   far +
                               1.36929880922735805310e-1) *
                                  far +
                              5.99832206555887937690e-1) *
                                 far +
                             1.0;
    return root <= 5 ? near_above / near_below : far_above / far_below;
}

#endif
