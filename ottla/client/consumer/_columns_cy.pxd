# What `async for record` needs that Cython's pure mode has no word for: a RecordStream that is awaited ends at once with a
# record. Raising StopIteration(record) in Python makes an exception and a traceback for every record, three times the cost of
# the record itself. So its two slots for being resumed are C: am_send (the interpreter's own way up to 3.11) returns the
# record, tp_iternext sets the bare exception. Uncompiled, `RecordStream.__next__` does the same in Python.

cdef extern from *:
    """
    typedef PyObject *(*ottla_taker)(PyObject *);
    static ottla_taker ottla_take = NULL;

    static PySendResult ottla_send(PyObject *self, PyObject *value, PyObject **result) {
        *result = ottla_take(self);
        return *result == NULL ? PYGEN_ERROR : PYGEN_RETURN;
    }

    static PyObject *ottla_next(PyObject *self) {
        PyObject *record = ottla_take(self);
        if (record != NULL) {
            PyErr_SetObject(PyExc_StopIteration, record);
            Py_DECREF(record);
        }
        return NULL;
    }

    static void ottla_install(PyObject *kind, ottla_taker take) {
        PyTypeObject *type = (PyTypeObject *)kind;
        ottla_take = take;
        type->tp_iternext = ottla_next;
        if (type->tp_as_async != NULL) {
            type->tp_as_async->am_send = ottla_send;
            type->tp_flags |= 1UL << 21; /* Py_TPFLAGS_HAVE_AM_SEND of Python 3.10 */
            PyType_Modified(type);
        }
    }
    """
    ctypedef object (*ottla_taker)(object)
    void ottla_install(object kind, ottla_taker take)
