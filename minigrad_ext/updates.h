/* The updates of the optimizers, one pass over theta each, in the order of operations of the NumPy text in
   minigrad/optim; optim.h includes this for every width and instruction set.

   An update is called as f(a, c, i, stop): a are its arrays and c its numbers, which it takes one after the other, in
   the order of its signature below; it works on entries i ... stop. What follows from the numbers alone stands at the
   top: worked out in double, from exact_lr and the like, and rounded once. Comparisons are written so that NaN passes
   through. The results are NumPy's to the bit, but for the last digit of theta in adam and adamw.

   To add one: its signature here, its loop below. */

#ifndef UPDATES /* name and arguments, in the order of the call: numbers and arrays. const: only read; average: see \
                   optim.h */
#define UPDATES(M)                                                                                                    \
    M(sgd, "theta, const g, number lr")                                                                               \
    M(momentum, "theta, const g, average v, number lr, number momentum")                                              \
    M(interim, "const theta, const v, number momentum, out")                                                          \
    M(nesterov_notes, "theta, const g, average v, number lr, number momentum, number next_momentum")                  \
    M(momentum_notes, "theta, const g, average v, number lr, number momentum")                                        \
    M(adagrad, "theta, const g, average r, number lr, number delta")                                                  \
    M(rmsprop, "theta, const g, average r, number lr, number rho, number delta")                                      \
    M(rmsprop_nesterov, "theta, const g, average r, average v, number lr, number rho, number momentum, number delta") \
    M(adadelta, "theta, const g, average r, average u, number lr, number rho, number delta")                          \
    M(adam, "theta, const g, average s, average r, number lr, number rho1, number rho2, number delta, number t")      \
    M(adamax, "theta, const g, average s, average u, number lr, number rho1, number rho2, number t")                  \
    M(adamw, "theta, const g, average s, average r, number lr, number rho1, number rho2, number delta, "              \
             "number weight_decay, number eta, number t")                                                             \
    M(delta_bar_delta, "theta, const g, rate, d, number kappa, number phi, number rho")                               \
    M(rprop, "theta, const g, rate, g_before, number up, number down, number smallest, number largest")               \
    M(rprop_minus, "theta, const g, rate, g_before, number up, number down, number smallest, number largest")         \
    M(vsgd, "theta, const g, average g_bar, average v_bar, average h_bar, tau, const g2, const h, number delta, "     \
            "number m")
#endif

#define UPDATE(name) static void NAME(name)(void *const *a, const double *c, ptrdiff_t i, const ptrdiff_t stop)
#define ARRAY(x) REAL *MG_RESTRICT x = (REAL *)*a++
#define INPUT(x) const REAL *MG_RESTRICT x = (const REAL *)*a++
#define NUMBER(x)                  \
    const double exact_##x = *c++; \
    const REAL x = (REAL)exact_##x
#define EXACT(x) const double exact_##x = *c++
#define DERIVED(x, value) const REAL x = (REAL)(value)
#define EACH MG_INDEPENDENT for (; i < stop; i++)
#define ROOT(x) MG_PASTE(mg_root, WIDTH)(x)
#define ABS(x) MG_PASTE(mg_abs, WIDTH)(x)
#define SIGN(x) ((x) > 0 ? 1 : (x) < 0 ? -1 : (x)) /* of NaN: NaN */

/* clang-format off: the arguments of an update stand on one line */

UPDATE(sgd) {
    ARRAY(theta);
    INPUT(g);
    NUMBER(lr);
    EACH theta[i] -= lr * g[i];
}

UPDATE(momentum) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(v);
    NUMBER(lr);
    NUMBER(momentum);
    EACH {
        v[i] = momentum * v[i] - lr * g[i];
        theta[i] += v[i];
    }
}

UPDATE(interim) {
    INPUT(theta);
    INPUT(v);
    ARRAY(out);
    NUMBER(momentum);
    EACH out[i] = theta[i] + momentum * v[i];
}

UPDATE(nesterov_notes) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(v);
    NUMBER(lr);
    NUMBER(momentum);
    EXACT(next_momentum);
    DERIVED(one_plus_next, 1 + exact_next_momentum);
    EACH {
        const REAL before = v[i];
        v[i] = momentum * v[i] - lr * g[i];
        theta[i] = theta[i] - momentum * before + one_plus_next * v[i];
    }
}

UPDATE(momentum_notes) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(v);
    NUMBER(lr);
    NUMBER(momentum);
    EACH {
        v[i] = momentum * v[i] + g[i];
        theta[i] -= lr * v[i];
    }
}

UPDATE(adagrad) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(r);
    NUMBER(lr);
    NUMBER(delta);
    EACH {
        r[i] += g[i] * g[i];
        theta[i] -= lr / (delta + ROOT(r[i])) * g[i];
    }
}

UPDATE(rmsprop) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(r);
    NUMBER(lr);
    NUMBER(rho);
    NUMBER(delta);
    DERIVED(one_minus_rho, 1 - exact_rho);
    EACH {
        r[i] = rho * r[i] + one_minus_rho * g[i] * g[i];
        theta[i] -= lr / ROOT(delta + r[i]) * g[i];
    }
}

UPDATE(rmsprop_nesterov) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(r);
    ARRAY(v);
    NUMBER(lr);
    NUMBER(rho);
    NUMBER(momentum);
    NUMBER(delta);
    DERIVED(one_minus_rho, 1 - exact_rho);
    EACH {
        r[i] = rho * r[i] + one_minus_rho * g[i] * g[i];
        const REAL root = ROOT(delta + r[i]);
        const REAL rate = lr / root;
        v[i] = momentum * v[i] - (root == 0 ? 0 : rate) * g[i];
        theta[i] += v[i];
    }
}

UPDATE(adadelta) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(r);
    ARRAY(u);
    NUMBER(lr);
    NUMBER(rho);
    NUMBER(delta);
    DERIVED(one_minus_rho, 1 - exact_rho);
    EACH {
        r[i] = rho * r[i] + one_minus_rho * g[i] * g[i];
        const REAL d = ROOT(delta + u[i]) / ROOT(delta + r[i]) * g[i];
        u[i] = rho * u[i] + one_minus_rho * d * d;
        theta[i] -= lr * d;
    }
}

/* Both corrections, 1/(1 - rho1^t) and 1/(1 - rho2^t), are factors: `step` is lr times the first. With the box's two
   divisions more the pass waits for the divider (100,000 float32: 51 us, so 29). */
UPDATE(adam) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(s);
    ARRAY(r);
    EXACT(lr);
    NUMBER(rho1);
    NUMBER(rho2);
    NUMBER(delta);
    EXACT(t);
    DERIVED(one_minus_rho1, 1 - exact_rho1);
    DERIVED(step, exact_lr / (1 - pow(exact_rho1, exact_t)));
    DERIVED(one_minus_rho2, 1 - exact_rho2);
    DERIVED(correct_r, 1 / (1 - pow(exact_rho2, exact_t)));
    EACH {
        s[i] = rho1 * s[i] + one_minus_rho1 * g[i];
        r[i] = rho2 * r[i] + one_minus_rho2 * g[i] * g[i];
        theta[i] -= step * s[i] / (ROOT(correct_r * r[i]) + delta);
    }
}

UPDATE(adamax) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(s);
    ARRAY(u);
    EXACT(lr);
    NUMBER(rho1);
    NUMBER(rho2);
    EXACT(t);
    DERIVED(one_minus_rho1, 1 - exact_rho1);
    DERIVED(step, exact_lr / (1 - pow(exact_rho1, exact_t)));
    EACH {
        s[i] = rho1 * s[i] + one_minus_rho1 * g[i];
        const REAL old = rho2 * u[i], size = ABS(g[i]);
        u[i] = old < size || size != size ? size : old;
        const REAL ratio = s[i] / u[i];
        theta[i] -= step * (u[i] == 0 ? 0 : ratio);
    }
}

UPDATE(adamw) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(s);
    ARRAY(r);
    EXACT(lr);
    NUMBER(rho1);
    NUMBER(rho2);
    NUMBER(delta);
    NUMBER(weight_decay);
    NUMBER(eta);
    EXACT(t);
    DERIVED(one_minus_rho1, 1 - exact_rho1);
    DERIVED(step, exact_lr / (1 - pow(exact_rho1, exact_t)));
    DERIVED(one_minus_rho2, 1 - exact_rho2);
    DERIVED(correct_r, 1 / (1 - pow(exact_rho2, exact_t)));
    EACH {
        s[i] = rho1 * s[i] + one_minus_rho1 * g[i];
        r[i] = rho2 * r[i] + one_minus_rho2 * g[i] * g[i];
        theta[i] -= eta * (step * s[i] / (ROOT(correct_r * r[i]) + delta) + weight_decay * theta[i]);
    }
}

UPDATE(delta_bar_delta) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(rate);
    ARRAY(d);
    NUMBER(kappa);
    EXACT(phi);
    NUMBER(rho);
    DERIVED(one_minus_phi, 1 - exact_phi);
    DERIVED(one_minus_rho, 1 - exact_rho);
    EACH {
        const REAL agreement = (REAL)SIGN(d[i]) * (REAL)SIGN(g[i]); /* d g underflows */
        const REAL up = rate[i] + kappa, down = rate[i] * one_minus_phi;
        const REAL turned = agreement < 0 ? down : rate[i];
        rate[i] = agreement > 0 ? up : turned;
        theta[i] -= rate[i] * g[i];
        d[i] = one_minus_rho * g[i] + rho * d[i];
    }
}

UPDATE(rprop) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(rate);
    ARRAY(g_before);
    NUMBER(up);
    NUMBER(down);
    NUMBER(smallest);
    NUMBER(largest);
    EACH {
        const REAL agreement = (REAL)SIGN(g_before[i]) * (REAL)SIGN(g[i]);
        const REAL more = up * rate[i], less = down * rate[i];
        const REAL back = (REAL)SIGN(g_before[i]) * rate[i];
        const REAL risen = more > largest ? largest : more, fallen = less < smallest ? smallest : less;
        const REAL turned = agreement < 0 ? fallen : rate[i];
        rate[i] = agreement > 0 ? risen : turned;
        const REAL forth = -(REAL)SIGN(g[i]) * rate[i];
        theta[i] += agreement < 0 ? back : forth;
        g_before[i] = agreement < 0 ? 0 : g[i];
    }
}

UPDATE(rprop_minus) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(rate);
    ARRAY(g_before);
    NUMBER(up);
    NUMBER(down);
    NUMBER(smallest);
    NUMBER(largest);
    EACH {
        const REAL agreement = (REAL)SIGN(g_before[i]) * (REAL)SIGN(g[i]);
        const REAL more = up * rate[i], less = down * rate[i];
        const REAL risen = more > largest ? largest : more, fallen = less < smallest ? smallest : less;
        const REAL turned = agreement < 0 ? fallen : rate[i];
        rate[i] = agreement > 0 ? risen : turned;
        g_before[i] = agreement < 0 ? 0 : g[i];
        theta[i] -= (REAL)SIGN(g_before[i]) * rate[i];
    }
}

UPDATE(vsgd) {
    ARRAY(theta);
    INPUT(g);
    ARRAY(g_bar);
    ARRAY(v_bar);
    ARRAY(h_bar);
    ARRAY(tau);
    INPUT(g2);
    INPUT(h);
    NUMBER(delta);
    NUMBER(m);
    DERIVED(rest, 1 - 1 / exact_m);
    EACH {
        const REAL now = 1 / tau[i], past = 1 - now, size = ABS(h[i]);
        g_bar[i] = past * g_bar[i] + now * g[i];
        v_bar[i] = past * v_bar[i] + now * g2[i];
        h_bar[i] = past * h_bar[i] + now * (size < delta ? delta : size);
        const REAL square = g_bar[i] * g_bar[i], ratio = square / (v_bar[i] / m + rest * square);
        const REAL some = v_bar[i] == 0 ? 0 : ratio;
        const REAL share = some > 1 ? 1 : some;
        tau[i] = (1 - share) * tau[i] + 1;
        theta[i] -= share / h_bar[i] * g[i];
    }
}

/* clang-format on */

#undef UPDATE
#undef ARRAY
#undef INPUT
#undef NUMBER
#undef EXACT
#undef DERIVED
#undef EACH
#undef ROOT
#undef ABS
#undef SIGN
