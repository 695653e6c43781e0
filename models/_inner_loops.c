/* Python's side of the inner loops (_loops.h); compiled.py says when they are used.
 *
 * What comes in is of any content and checked here: objects by type, buffers by format, numbers by range. Everything
 * that is read without the interpreter's lock is in bytes that the caller's tuples hold, and bytes never change.
 */

#define Py_LIMITED_API 0x030B0000 /* one build for Python 3.11 and all that follow (PEP 384) */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_loops.h"

#define INTERFACE 1 /* as in compiled.py; another one when what the functions take or return changes */

static void *none_left(void)
{
    PyErr_NoMemory();
    return NULL;
}

static int refuse(const char *problem)
{
    PyErr_SetString(PyExc_ValueError, problem);
    return -1;
}

/* The octets of a bytes object, and what they add to those of the message. */
static int take_octets(Message *message, PyObject *object, const uint8_t **octets, size_t *length)
{
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(object, &data, &size) < 0) {
        return -1;
    }
    if ((size_t)size > MAX_TOTAL - message->octets) {
        return refuse("too many octets");
    }
    message->octets += (size_t)size;
    *octets = (const uint8_t *)data;
    *length = (size_t)size;
    return 0;
}

static int take_sections(Message *message, PyObject *sections)
{
    Py_ssize_t count = PyTuple_Size(sections);
    if (count > MAX_SOURCES) {
        return refuse("too many sections");
    }
    for (; message->section_count < (size_t)count; message->section_count++) {
        Section *section = &message->sections[message->section_count];
        PyObject *object = PyTuple_GetItem(sections, (Py_ssize_t)message->section_count);
        if (take_octets(message, object, &section->octets, &section->length) < 0) {
            return -1;
        }
    }
    return 0;
}

static int take_texts(Message *message, PyObject *texts)
{
    Py_ssize_t count = PyTuple_Size(texts);
    if (count > MAX_SOURCES) {
        return refuse("too many texts");
    }
    for (; message->text_count < (size_t)count; message->text_count++) {
        Text *text = &message->texts[message->text_count];
        PyObject *pair = PyTuple_GetItem(texts, (Py_ssize_t)message->text_count);
        char *inside;
        Py_ssize_t size;
        if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "a text is octets and the class of those that words are made of");
            return -1;
        }
        if (take_octets(message, PyTuple_GetItem(pair, 0), &text->octets, &text->length) < 0 ||
            PyBytes_AsStringAndSize(PyTuple_GetItem(pair, 1), &inside, &size) < 0) {
            return -1;
        }
        if (size != 256) {
            return refuse("a class has 256 octets");
        }
        text->inside = (const uint8_t *)inside;
    }
    return 0;
}

static int take_views(Message *message, PyObject *views)
{
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(views, &data, &size) < 0) {
        return -1;
    }
    size_t count = (size_t)size / sizeof(View);
    if ((size_t)size % sizeof(View) || count > MAX_SOURCES || count < message->section_count) {
        return refuse("views are rows of four numbers, one for each section and more for texts");
    }
    memcpy(message->views, data, (size_t)size);
    message->view_count = count;
    for (size_t number = 0; number < count; number++) {
        View view = message->views[number];
        size_t sources = number < message->section_count ? message->section_count : message->text_count;
        if (view.source >= sources || view.reach > MAX_REACH || view.bits < 1 || view.bits > MAX_BITS ||
            view.offset > UINT32_MAX - (UINT32_C(1) << view.bits)) {
            return refuse("a view out of range");
        }
        if (view.bits > message->bits) {
            message->bits = view.bits;
        }
    }
    return 0;
}

static PyObject *places(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *sections, *texts, *views;
    if (!PyArg_ParseTuple(arguments, "O!O!S:places", &PyTuple_Type, &sections, &PyTuple_Type, &texts, &views)) {
        return NULL;
    }
    Message message;
    memset(&message, 0, sizeof message);
    if (take_sections(&message, sections) < 0 || take_texts(&message, texts) < 0 || take_views(&message, views) < 0) {
        return NULL;
    }
    PyThreadState *others = message.octets >= LONG ? PyEval_SaveThread() : NULL;
    int failed = read_texts(&message) < 0 || find_places(&message) < 0;
    if (others) {
        PyEval_RestoreThread(others);
    }
    PyObject *found = failed ? none_left()
                             : Py_BuildValue("y#y#", (const char *)message.places,
                                             (Py_ssize_t)(message.place_count * sizeof(uint32_t)),
                                             (const char *)message.counts,
                                             (Py_ssize_t)(message.view_count * sizeof(int64_t)));
    free(message.hashes);
    free(message.lines);
    free(message.buckets);
    free(message.places);
    return found;
}

static PyObject *squeezed(PyObject *Py_UNUSED(module), PyObject *object)
{
    char *octets;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(object, &octets, &size) < 0) {
        return NULL;
    }
    char *kept = ALLOCATE((size_t)size + 1);
    if (!kept) {
        return none_left();
    }
    PyObject *found = PyBytes_FromStringAndSize(kept, (Py_ssize_t)squeeze(octets, (size_t)size, kept));
    free(kept);
    return found;
}

/* An array of another object, contiguous and of the format expected. */
static int array(PyObject *object, Py_buffer *buffer, const char *format, size_t size, int flags)
{
    if (PyObject_GetBuffer(object, buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags) < 0) {
        return -1;
    }
    if (!buffer->format || strcmp(buffer->format, format) || (size_t)buffer->itemsize != size ||
        (uintptr_t)buffer->buf % size) {
        PyBuffer_Release(buffer);
        PyErr_Format(PyExc_TypeError, "an aligned array of format '%s' is needed", format);
        return -1;
    }
    return 0;
}

/* The features of a message in a table: where its places are, and how many belong to each view. */
typedef struct {
    Py_buffer table_buffer, places_buffer, counts_buffer;
    float *table;
    const uint32_t *places;
    const Py_ssize_t *counts;
    size_t size, views;
} Found;

static void release(Found *found)
{
    PyBuffer_Release(&found->table_buffer);
    PyBuffer_Release(&found->places_buffer);
    PyBuffer_Release(&found->counts_buffer);
}

static int within(const Found *found)
{
    size_t total = (size_t)found->places_buffer.len / sizeof(uint32_t);
    size_t counted = 0;
    for (size_t view = 0; view < found->views; view++) {
        if (found->counts[view] < 0 || (size_t)found->counts[view] > total - counted) {
            return refuse("the counts are not those of the places");
        }
        counted += (size_t)found->counts[view];
    }
    if (counted != total) {
        return refuse("the counts are not those of the places");
    }
    uint32_t highest = 0;
    for (size_t at = 0; at < total; at++) {
        highest = found->places[at] > highest ? found->places[at] : highest;
    }
    if (total && highest >= found->size) {
        PyErr_SetString(PyExc_IndexError, "a place beyond the table");
        return -1;
    }
    return 0;
}

static int look_up(Found *found, PyObject *table, PyObject *places, PyObject *counts, int flags)
{
    memset(found, 0, sizeof *found);
    if (array(table, &found->table_buffer, "f", sizeof(float), flags) < 0 ||
        array(places, &found->places_buffer, "I", sizeof(uint32_t), 0) < 0 ||
        array(counts, &found->counts_buffer, "l", sizeof(Py_ssize_t), 0) < 0) {
        release(found);
        return -1;
    }
    found->table = found->table_buffer.buf;
    found->places = found->places_buffer.buf;
    found->counts = found->counts_buffer.buf;
    found->size = (size_t)found->table_buffer.len / sizeof(float);
    found->views = (size_t)found->counts_buffer.len / sizeof(Py_ssize_t);
    if (within(found) < 0) {
        release(found);
        return -1;
    }
    return 0;
}

static PyObject *sums(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *weights, *places, *counts;
    Found found;
    if (!PyArg_ParseTuple(arguments, "OOO:sums", &weights, &places, &counts) ||
        look_up(&found, weights, places, counts, 0) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    double *totals = ALLOCATE(found.views * sizeof(double) + 1);
    if (totals) {
        const uint32_t *from = found.places;
        for (size_t view = 0; view < found.views; view++) {
            size_t count = (size_t)found.counts[view];
            /* numpy begins with the first */
            totals[view] = count ? found.table[from[0]] + pairwise(found.table, from + 1, count - 1) : 0.0;
            from += count;
        }
        result = PyBytes_FromStringAndSize((const char *)totals, (Py_ssize_t)(found.views * sizeof(double)));
    } else {
        none_left();
    }
    free(totals);
    release(&found);
    return result;
}

static PyObject *step(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *weights, *accumulators, *places, *counts, *gradients;
    float floor, rate;
    Found found;
    Py_buffer squares, slopes;
    if (!PyArg_ParseTuple(arguments, "OOOOOff:step", &weights, &accumulators, &places, &counts, &gradients, &floor,
                          &rate) ||
        look_up(&found, weights, places, counts, PyBUF_WRITABLE) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    memset(&squares, 0, sizeof squares);
    memset(&slopes, 0, sizeof slopes);
    if (array(accumulators, &squares, "f", sizeof(float), PyBUF_WRITABLE) == 0 &&
        array(gradients, &slopes, "f", sizeof(float), 0) == 0) {
        if (squares.len != found.table_buffer.len || (size_t)slopes.len != found.views * sizeof(float)) {
            refuse("an accumulator for each weight and a gradient for each view are needed");
        } else {
            const uint32_t *from = found.places;
            for (size_t view = 0; view < found.views; view++) {
                size_t count = (size_t)found.counts[view];
                step_view(found.table, squares.buf, from, count, ((const float *)slopes.buf)[view], floor, rate);
                from += count;
            }
            result = Py_NewRef(Py_None);
        }
    }
    PyBuffer_Release(&slopes);
    PyBuffer_Release(&squares);
    release(&found);
    return result;
}

static PyMethodDef functions[] = {
    {"places", places, METH_VARARGS, "The places of a message's features and how many each view has."},
    {"squeezed", squeezed, METH_O, "Octets without those that are like the one before; each newline is kept."},
    {"sums", sums, METH_VARARGS, "The sum of the weights of each view."},
    {"step", step, METH_VARARGS, "One step of AdaGrad for the weights of a message."},
    {NULL, NULL, 0, NULL},
};

static int name_interface(PyObject *module)
{
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)(uintptr_t)name_interface}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_inner_loops",
    .m_doc = "The inner loops of the statistical filter, compiled.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__inner_loops(void);

PyMODINIT_FUNC PyInit__inner_loops(void)
{
    return PyModuleDef_Init(&definition);
}
