/* The loops of optim.pyx: one pass over theta each, in the order of operations of the NumPy text in minigrad/optim.

   updates.h is included once per width and instruction set (see optim_table.h), with REAL, SQRT, ABS and NAME defined.
   An update is called as f(a, c, i, stop): a are the arrays in the kernel's order, c its coefficients (computed in
   double, cast once here); it works on elements i ... stop. Comparisons are written so that NaN passes through.
   The results are NumPy's to the bit, but for the last digit of theta in adam and adamw. */

#define UPDATE(name) static void NAME(name)(void *const *a, const double *c, ptrdiff_t i, const ptrdiff_t stop)
#define ARRAY(x, k) REAL *MG_RESTRICT x = (REAL *)a[k]
#define INPUT(x, k) const REAL *MG_RESTRICT x = (const REAL *)a[k]
#define NUMBER(x, k) const REAL x = (REAL)c[k]
#define EACH MG_INDEPENDENT for (; i < stop; i++)

UPDATE(sgd) {
    ARRAY(theta, 0); INPUT(g, 1); NUMBER(lr, 0);
    EACH theta[i] -= lr * g[i];
}

UPDATE(momentum) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(v, 2); NUMBER(lr, 0); NUMBER(momentum, 1);
    EACH {
        v[i] = momentum * v[i] - lr * g[i];
        theta[i] += v[i];
    }
}

UPDATE(interim) {
    INPUT(theta, 0); INPUT(v, 1); ARRAY(out, 2); NUMBER(momentum, 0);
    EACH out[i] = theta[i] + momentum * v[i];
}

UPDATE(nesterov_notes) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(v, 2); NUMBER(lr, 0); NUMBER(momentum, 1); NUMBER(one_plus_next, 2);
    EACH {
        const REAL before = v[i];
        v[i] = momentum * v[i] - lr * g[i];
        theta[i] = theta[i] - momentum * before + one_plus_next * v[i];
    }
}

UPDATE(momentum_notes) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(v, 2); NUMBER(lr, 0); NUMBER(momentum, 1);
    EACH {
        v[i] = momentum * v[i] + g[i];
        theta[i] -= lr * v[i];
    }
}

UPDATE(adagrad) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(r, 2); NUMBER(lr, 0); NUMBER(delta, 1);
    EACH {
        r[i] += g[i] * g[i];
        theta[i] -= lr / (delta + SQRT(r[i])) * g[i];
    }
}

UPDATE(rmsprop) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(r, 2); NUMBER(lr, 0); NUMBER(rho, 1); NUMBER(one_minus_rho, 2); NUMBER(delta, 3);
    EACH {
        r[i] = rho * r[i] + one_minus_rho * g[i] * g[i];
        theta[i] -= lr / SQRT(delta + r[i]) * g[i];
    }
}

UPDATE(rmsprop_nesterov) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(r, 2); ARRAY(v, 3);
    NUMBER(lr, 0); NUMBER(rho, 1); NUMBER(one_minus_rho, 2); NUMBER(momentum, 3); NUMBER(delta, 4);
    EACH {
        r[i] = rho * r[i] + one_minus_rho * g[i] * g[i];
        const REAL root = SQRT(delta + r[i]);
        const REAL rate = lr / root;
        v[i] = momentum * v[i] - (root == 0 ? 0 : rate) * g[i];
        theta[i] += v[i];
    }
}

UPDATE(adadelta) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(r, 2); ARRAY(u, 3);
    NUMBER(lr, 0); NUMBER(rho, 1); NUMBER(one_minus_rho, 2); NUMBER(delta, 3);
    EACH {
        r[i] = rho * r[i] + one_minus_rho * g[i] * g[i];
        const REAL d = SQRT(delta + u[i]) / SQRT(delta + r[i]) * g[i];
        u[i] = rho * u[i] + one_minus_rho * d * d;
        theta[i] -= lr * d;
    }
}

/* Both corrections, 1/(1 - rho1^t) and 1/(1 - rho2^t), are factors worked out beforehand: `step` is lr times the first.
   With the box's two divisions more the pass waits for the divider (100,000 float32: 51 us, so 29). */
UPDATE(adam) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(s, 2); ARRAY(r, 3);
    NUMBER(step, 0); NUMBER(rho1, 1); NUMBER(one_minus_rho1, 2); NUMBER(rho2, 3); NUMBER(one_minus_rho2, 4);
    NUMBER(delta, 5); NUMBER(correct_r, 6);
    EACH {
        s[i] = rho1 * s[i] + one_minus_rho1 * g[i];
        r[i] = rho2 * r[i] + one_minus_rho2 * g[i] * g[i];
        theta[i] -= step * s[i] / (SQRT(correct_r * r[i]) + delta);
    }
}

UPDATE(adamax) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(s, 2); ARRAY(u, 3);
    NUMBER(corrected_lr, 0); NUMBER(rho1, 1); NUMBER(one_minus_rho1, 2); NUMBER(rho2, 3);
    EACH {
        s[i] = rho1 * s[i] + one_minus_rho1 * g[i];
        const REAL old = rho2 * u[i], size = ABS(g[i]);
        u[i] = old < size || size != size ? size : old;
        const REAL ratio = s[i] / u[i];
        theta[i] -= corrected_lr * (u[i] == 0 ? 0 : ratio);
    }
}

UPDATE(adamw) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(s, 2); ARRAY(r, 3);
    NUMBER(step, 0); NUMBER(rho1, 1); NUMBER(one_minus_rho1, 2); NUMBER(rho2, 3); NUMBER(one_minus_rho2, 4);
    NUMBER(delta, 5); NUMBER(correct_r, 6); NUMBER(weight_decay, 7); NUMBER(eta, 8);
    EACH {
        s[i] = rho1 * s[i] + one_minus_rho1 * g[i];
        r[i] = rho2 * r[i] + one_minus_rho2 * g[i] * g[i];
        theta[i] -= eta * (step * s[i] / (SQRT(correct_r * r[i]) + delta) + weight_decay * theta[i]);
    }
}

UPDATE(delta_bar_delta) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(rate, 2); ARRAY(d, 3);
    NUMBER(kappa, 0); NUMBER(one_minus_phi, 1); NUMBER(rho, 2); NUMBER(one_minus_rho, 3);
    EACH {
        const REAL agreement = d[i] * g[i], up = rate[i] + kappa, down = rate[i] * one_minus_phi;
        const REAL turned = agreement < 0 ? down : rate[i];
        rate[i] = agreement > 0 ? up : turned;
        theta[i] -= rate[i] * g[i];
        d[i] = one_minus_rho * g[i] + rho * d[i];
    }
}

#define SIGN(x) ((x) > 0 ? 1 : (x) < 0 ? -1 : (x)) /* of NaN: NaN */

UPDATE(rprop) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(rate, 2); ARRAY(g_before, 3);
    NUMBER(up, 0); NUMBER(down, 1); NUMBER(smallest, 2); NUMBER(largest, 3);
    EACH {
        const REAL agreement = g_before[i] * g[i], more = up * rate[i], less = down * rate[i];
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
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(rate, 2); ARRAY(g_before, 3);
    NUMBER(up, 0); NUMBER(down, 1); NUMBER(smallest, 2); NUMBER(largest, 3);
    EACH {
        const REAL agreement = g_before[i] * g[i], more = up * rate[i], less = down * rate[i];
        const REAL risen = more > largest ? largest : more, fallen = less < smallest ? smallest : less;
        const REAL turned = agreement < 0 ? fallen : rate[i];
        rate[i] = agreement > 0 ? risen : turned;
        g_before[i] = agreement < 0 ? 0 : g[i];
        theta[i] -= (REAL)SIGN(g_before[i]) * rate[i];
    }
}

UPDATE(vsgd) {
    ARRAY(theta, 0); INPUT(g, 1); ARRAY(g_bar, 2); ARRAY(v_bar, 3); ARRAY(h_bar, 4); ARRAY(tau, 5);
    INPUT(g2, 6); INPUT(h, 7); NUMBER(delta, 0);
    EACH {
        const REAL now = 1 / tau[i], past = 1 - now, size = ABS(h[i]);
        g_bar[i] = past * g_bar[i] + now * g[i];
        v_bar[i] = past * v_bar[i] + now * g2[i];
        h_bar[i] = past * h_bar[i] + now * (size < delta ? delta : size);
        const REAL ratio = g_bar[i] * g_bar[i] / v_bar[i], some = v_bar[i] == 0 ? 0 : ratio;
        const REAL share = some > 1 ? 1 : some;
        tau[i] = (1 - share) * tau[i] + 1;
        theta[i] -= share / h_bar[i] * g[i];
    }
}

#undef UPDATE
#undef ARRAY
#undef INPUT
#undef NUMBER
#undef EACH
#undef SIGN
