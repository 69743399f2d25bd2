/* The arithmetic of kernel.py in one pass over memory, float for float what numpy does there:
 * the same operations on the same float32 values in the same order. Built where there is a compiler.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <math.h>
#include <stdint.h>

/* Pixels worked on at a time: their planes and coefficients stay in a core's first-level cache. */
enum { CHUNK = 256, SETS = 8 };

/* Further copies of a loop for processors with wider registers; which one runs is chosen when the module is loaded. */
#if defined(__GLIBC__) && defined(__x86_64__) && (defined(__clang__) ? __clang_major__ >= 14 : 1)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

typedef struct {
    float knee, slope, white, white_and_hair, X[3], Z[3];
} Numbers;

typedef struct {
    const void *codes;       /* (rows, width) or (rows, width, 3), uint8 or uint16 */
    void *out;               /* (rows, width, 3), uint8 or uint16 */
    const float *small[4];   /* (SETS, small) each: slopes, intercepts, lowest, highest, of x and z each, in
                                the small row above, and what they grow by to the right; those below */
    const int32_t *left;     /* (width,): the small column before each */
    const float *across;     /* (width,): how far each lies from there to the next */
    const float *down;       /* (rows,): how far each lies from the row above to that below */
    const float *f;          /* (steps,): Lab's f by grey code, or by root of luminance */
    const float *tone[2];    /* (steps,) each: what is added to x and z, or NULL */
    const float *shares[3];  /* (codes,) each, or NULL for grey */
    const void *encoded;     /* (top + 1,) as out */
    Numbers numbers;
    Py_ssize_t rows, width, columns, steps, top;
    int code_bytes, out_bytes;
} Work;

typedef struct {
    int32_t index[CHUNK], roots[3][CHUNK];
    float f[CHUNK], luminance[CHUNK], tone[2][CHUNK];
    float first[SETS][CHUNK], growth[SETS][CHUNK]; /* coefficients of the row above; to that below */
} Planes;

static float least(float a, float b) { return a < b ? a : b; }

static float most(float a, float b) { return a > b ? a : b; }

static float undo_curve(float f, const Numbers *numbers)
{
    float m = most(f, numbers->knee);
    return f * numbers->slope + (m * m - numbers->slope) * m;
}

static void read_grey(const Work *work, Py_ssize_t at, int n, Planes *planes)
{
    if (work->code_bytes == 1) {
        const uint8_t *codes = (const uint8_t *)work->codes + at;
        for (int i = 0; i < n; i++) planes->index[i] = codes[i];
    } else {
        const uint16_t *codes = (const uint16_t *)work->codes + at;
        for (int i = 0; i < n; i++) planes->index[i] = codes[i];
    }
}

static void read_luminance(const Work *work, Py_ssize_t at, int n, Planes *planes)
{
    const float *red = work->shares[0], *green = work->shares[1], *blue = work->shares[2];
    if (work->code_bytes == 1) {
        const uint8_t *codes = (const uint8_t *)work->codes + 3 * at;
        for (int i = 0; i < n; i++, codes += 3)
            planes->luminance[i] = red[codes[0]] + green[codes[1]] + blue[codes[2]];
    } else {
        const uint16_t *codes = (const uint16_t *)work->codes + 3 * at;
        for (int i = 0; i < n; i++, codes += 3)
            planes->luminance[i] = red[codes[0]] + green[codes[1]] + blue[codes[2]];
    }
}

WIDE static void find_roots(float *luminance, int32_t *index, float white, float top, int n)
{
    for (int i = 0; i < n; i++) {
        luminance[i] = least(luminance[i], 1);
        index[i] = (int32_t)least(sqrtf(luminance[i] * white), top);
    }
}

WIDE static void find_luminance(const float *f, float *luminance, const Numbers *numbers, int n)
{
    const Numbers k = *numbers;
    for (int i = 0; i < n; i++) luminance[i] = undo_curve(f[i], &k);
}

static void look_up(const float *table, const int32_t *index, float *plane, int n)
{
    for (int i = 0; i < n; i++) plane[i] = table[index[i]];
}

/* A number is never an index out of range, whatever went before: not a number is below it too. */
static int32_t root(float light, float top)
{
    float found = sqrtf(light);
    return (int32_t)least(found > 0 ? found : 0, top);
}

WIDE static void shade(
    const float (*__restrict first)[CHUNK], const float (*__restrict growth)[CHUNK], float down,
    const float *__restrict f, const float *__restrict luminance, const float *__restrict tone_x,
    const float *__restrict tone_z, int32_t *__restrict red, int32_t *__restrict green,
    int32_t *__restrict blue, const Numbers *numbers, float top, int n)
{
    const Numbers k = *numbers;
    for (int i = 0; i < n; i++) {
        float c[SETS];
        for (int j = 0; j < SETS; j++) c[j] = growth[j][i] * down + first[j][i];
        float x = least(most(c[0] * f[i] + c[2], c[4]), c[6]);
        float z = least(most(c[1] * f[i] + c[3], c[5]), c[7]);
        float grey = undo_curve(f[i], &k), Y = luminance[i];
        x = undo_curve(x + tone_x[i] + f[i], &k) - grey;
        z = undo_curve(z + tone_z[i] + f[i], &k) - grey;
        float r = x * k.X[0] + z * k.Z[0];
        float g = x * k.X[1] + z * k.Z[1];
        float b = x * k.X[2] + z * k.Z[2];
        float up = (1 - Y) / (most(most(r, g), b) + 0.0f);
        float low = Y / (0.0f - least(least(r, g), b));
        float t = most(least(least(up, 1), least(low, 1)), 0) * k.white;
        float Yw = Y * k.white_and_hair;
        red[i] = root(r * t + Yw, top);
        green[i] = root(g * t + Yw, top);
        blue[i] = root(b * t + Yw, top);
    }
}

static void write_codes(const Work *work, Py_ssize_t at, int n, const Planes *planes)
{
    const int32_t *red = planes->roots[0], *green = planes->roots[1], *blue = planes->roots[2];
    if (work->out_bytes == 1) {
        const uint8_t *encoded = work->encoded;
        uint8_t *out = (uint8_t *)work->out + 3 * at;
        for (int i = 0; i < n; i++, out += 3) {
            out[0] = encoded[red[i]];
            out[1] = encoded[green[i]];
            out[2] = encoded[blue[i]];
        }
    } else {
        const uint16_t *encoded = work->encoded;
        uint16_t *out = (uint16_t *)work->out + 3 * at;
        for (int i = 0; i < n; i++, out += 3) {
            out[0] = encoded[red[i]];
            out[1] = encoded[green[i]];
            out[2] = encoded[blue[i]];
        }
    }
}

static void grow(const Work *work, Py_ssize_t x, int n, Planes *planes)
{
    const int32_t *left = work->left + x;
    const float *across = work->across + x;
    for (int j = 0; j < SETS; j++) {
        const float *small[4];
        for (int k = 0; k < 4; k++) small[k] = work->small[k] + j * work->columns;
        for (int i = 0; i < n; i++) {
            float above = small[1][left[i]] * across[i] + small[0][left[i]];
            float below = small[3][left[i]] * across[i] + small[2][left[i]];
            planes->first[j][i] = above;
            planes->growth[j][i] = below - above;
        }
    }
}

static void tint_part(const Work *work, Py_ssize_t row, Py_ssize_t x, int n, Planes *planes)
{
    const Numbers *numbers = &work->numbers;
    Py_ssize_t at = row * work->width + x;
    float top = (float)work->top, *luminance = planes->luminance, *f = planes->f;
    if (work->shares[0] != NULL) {
        read_luminance(work, at, n, planes);
        find_roots(luminance, planes->index, numbers->white, top, n);
        look_up(work->f, planes->index, f, n);
    } else {
        read_grey(work, at, n, planes);
        look_up(work->f, planes->index, f, n);
        find_luminance(f, luminance, numbers, n);
    }
    for (int j = 0; j < 2; j++)
        if (work->tone[j] != NULL) look_up(work->tone[j], planes->index, planes->tone[j], n);
    shade((const float (*)[CHUNK])planes->first, (const float (*)[CHUNK])planes->growth,
          work->down[row], f, luminance, planes->tone[0], planes->tone[1], planes->roots[0],
          planes->roots[1], planes->roots[2], numbers, top, n);
    write_codes(work, at, n, planes);
}

static void tint_rows(const Work *work, Planes *planes)
{
    for (Py_ssize_t x = 0; x < work->width; x += CHUNK) {
        int n = (int)(work->width - x < CHUNK ? work->width - x : CHUNK);
        grow(work, x, n, planes);
        for (Py_ssize_t row = 0; row < work->rows; row++) tint_part(work, row, x, n, planes);
    }
}

/* The arguments of tint(), in their order. */
enum { CODES, OUT, ABOVE, RIGHT_ABOVE, BELOW, RIGHT_BELOW, LEFT, ACROSS, DOWN, CURVE, ENCODED, NUMBERS, SHARES,
       TONE, ARGUMENTS };

static int fits(const Py_buffer *view, int ndim, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t bytes)
{
    return view->ndim == ndim && view->itemsize == bytes && view->shape[0] == rows &&
           (ndim == 1 || view->shape[1] == columns);
}

/* Whether the views are of the shapes that kernel.py names; fills the work in if they are. */
static int describe(const Py_buffer *view, Work *work)
{
    const Py_buffer *codes = &view[CODES], *out = &view[OUT];
    int grey = view[SHARES].obj == NULL, toned = view[TONE].obj != NULL;
    if (codes->ndim != (grey ? 2 : 3) || out->ndim != 3 || view[CURVE].ndim != 1) return 0;
    Py_ssize_t rows = work->rows = codes->shape[0], width = work->width = codes->shape[1];
    Py_ssize_t deepest = (Py_ssize_t)1 << (8 * codes->itemsize), steps = view[CURVE].shape[0];
    if (codes->itemsize != 1 && codes->itemsize != 2) return 0;
    if (out->itemsize != 1 && out->itemsize != 2) return 0;
    if (out->shape[0] != rows || out->shape[1] != width || out->shape[2] != 3) return 0;
    if (view[ENCODED].ndim != 1 || view[ENCODED].itemsize != out->itemsize) return 0;
    work->top = view[ENCODED].shape[0] - 1;
    if (view[ABOVE].ndim != 2) return 0;
    work->columns = view[ABOVE].shape[1];
    for (int i = ABOVE; i <= RIGHT_BELOW; i++)
        if (!fits(&view[i], 2, SETS, work->columns, sizeof(float))) return 0;
    if (!fits(&view[LEFT], 1, width, 0, sizeof(int32_t))) return 0;
    if (!fits(&view[ACROSS], 1, width, 0, sizeof(float))) return 0;
    if (!fits(&view[DOWN], 1, rows, 0, sizeof(float))) return 0;
    if (!fits(&view[NUMBERS], 1, sizeof(Numbers) / sizeof(float), 0, sizeof(float))) return 0;
    if (!fits(&view[CURVE], 1, steps, 0, sizeof(float))) return 0;
    if (toned && !fits(&view[TONE], 2, 2, steps, sizeof(float))) return 0;
    if (steps < (grey ? deepest : work->top + 1) || work->top < 0) return 0;
    if (!grey && (codes->shape[2] != 3 || !fits(&view[SHARES], 2, 3, deepest, sizeof(float)))) return 0;
    work->code_bytes = (int)codes->itemsize;
    work->out_bytes = (int)out->itemsize;
    work->codes = codes->buf;
    work->out = out->buf;
    for (int i = 0; i < 4; i++) work->small[i] = view[ABOVE + i].buf;
    work->left = view[LEFT].buf;
    work->across = view[ACROSS].buf;
    for (Py_ssize_t x = 0; x < width; x++)
        if (work->left[x] < 0 || work->left[x] >= work->columns) return 0;
    work->down = view[DOWN].buf;
    work->encoded = view[ENCODED].buf;
    work->numbers = *(const Numbers *)view[NUMBERS].buf;
    work->f = view[CURVE].buf;
    for (int j = 0; j < 2; j++)
        work->tone[j] = toned ? (const float *)view[TONE].buf + j * steps : NULL;
    for (int j = 0; j < 3; j++)
        work->shares[j] = grey ? NULL : (const float *)view[SHARES].buf + j * deepest;
    return 1;
}

static PyObject *tint(PyObject *module, PyObject *arguments)
{
    PyObject *result = NULL;
    Py_buffer view[ARGUMENTS] = {{0}};
    Work work;
    (void)module;
    if (PyTuple_Size(arguments) != ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "tint() takes %d arguments", (int)ARGUMENTS);
        return NULL;
    }
    for (int i = 0; i < ARGUMENTS; i++) {
        PyObject *given = PyTuple_GetItem(arguments, i);
        if (given == Py_None) continue;
        if (PyObject_GetBuffer(given, &view[i], i == OUT ? PyBUF_CONTIG : PyBUF_CONTIG_RO) < 0)
            goto done;
    }
    if (!describe(view, &work)) {
        PyErr_SetString(PyExc_ValueError, "arrays of a wrong shape or type");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    Planes planes = {0};
    tint_rows(&work, &planes);
    Py_END_ALLOW_THREADS
    Py_INCREF(Py_None);
    result = Py_None;
done:
    for (int i = 0; i < ARGUMENTS; i++) PyBuffer_Release(&view[i]);
    return result;
}

/* Pixels looked at before it is asked whether they were grey. */
enum { LOOK = 4096 };

static int take_grey_bytes(const uint8_t *codes, uint8_t *out, Py_ssize_t n)
{
    unsigned differ = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        out[i] = codes[3 * i];
        differ |= (codes[3 * i] ^ codes[3 * i + 1]) | (codes[3 * i] ^ codes[3 * i + 2]);
    }
    return differ == 0;
}

static int take_grey_shorts(const uint16_t *codes, uint16_t *out, Py_ssize_t n)
{
    unsigned differ = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        out[i] = codes[3 * i];
        differ |= (codes[3 * i] ^ codes[3 * i + 1]) | (codes[3 * i] ^ codes[3 * i + 2]);
    }
    return differ == 0;
}

static int take_grey_all(const Py_buffer *codes, const Py_buffer *out)
{
    Py_ssize_t n = out->len / out->itemsize;
    for (Py_ssize_t at = 0; at < n; at += LOOK) {
        Py_ssize_t count = n - at < LOOK ? n - at : LOOK;
        int grey = out->itemsize == 1
                       ? take_grey_bytes((const uint8_t *)codes->buf + 3 * at, (uint8_t *)out->buf + at, count)
                       : take_grey_shorts((const uint16_t *)codes->buf + 3 * at, (uint16_t *)out->buf + at, count);
        if (!grey) return 0;
    }
    return 1;
}

static PyObject *take_grey(PyObject *module, PyObject *arguments)
{
    Py_buffer codes = {0}, out = {0};
    PyObject *result = NULL;
    int grey;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*w*", &codes, &out)) return NULL;
    if (codes.itemsize != out.itemsize || codes.len != 3 * out.len || (out.itemsize != 1 && out.itemsize != 2)) {
        PyErr_SetString(PyExc_ValueError, "arrays of a wrong shape or type");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    grey = take_grey_all(&codes, &out);
    Py_END_ALLOW_THREADS
    result = PyBool_FromLong(grey);
done:
    PyBuffer_Release(&codes);
    PyBuffer_Release(&out);
    return result;
}

static PyMethodDef methods[] = {
    {"tint", tint, METH_VARARGS, NULL}, {"take_grey", take_grey, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernel", NULL, 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&definition); }
