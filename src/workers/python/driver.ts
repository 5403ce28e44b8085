/**
 * The Python side of running a configuration file: what the script finds predefined (xm_file, xm_help, xm_vars, sys, os,
 * names of Python 2), and how its globals and its faults are reported, as one JSON text.
 */
export const DRIVER = `
import sys, os, io, json, re
import os.path

def _uname():
    return ('Linux', 'dom0', '2.6.12.6-xen0', '#1 SMP', 'x86_64')

def _no_processes(*ignored):
    raise OSError('no processes can be started from a configuration file')

for _name, _value in (('uname', _uname), ('environ', {'HOME': '/root', 'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'}),
                      ('getpid', lambda: 1), ('getuid', lambda: 0), ('system', _no_processes), ('popen', _no_processes)):
    try:
        setattr(os, _name, _value)
    except AttributeError:
        pass

class _Refused(Exception):
    def __init__(self, variable, text):
        super().__init__(text)
        self.variable = variable
        self.text = text

class _Variables:
    def __init__(self, scope, assignments):
        self._scope = scope
        self._assignments = assignments
        self._declared = []

    def var(self, name, use='', check=None, **ignored):
        self._declared.append((name, use, check))

    def check(self):
        for name, use, check in self._declared:
            value = self._assignments.get(name)
            if check is not None:
                try:
                    value = check(name, value)
                except Exception as error:
                    raise _Refused(name, str(error))
            if value is not None:
                self._scope[name] = value

    def declared(self):
        return [(str(name), str(use)) for name, use, check in self._declared]

def _plain(value, depth=0):
    if value is None or isinstance(value, (bool, str)):
        return True
    if isinstance(value, int):
        return abs(value) < 9007199254740992
    if isinstance(value, float):
        return value - value == 0.0
    return depth < 4 and isinstance(value, (list, tuple)) and all([_plain(element, depth + 1) for element in value])

def _open(name, *mode):
    try:
        return open(name, *mode)
    except OSError:
        raise OSError("cannot open '%s' (a script sees the files below /etc/xen and beside it)" % name)

def _place(error, path):
    text = io.StringIO()
    sys.print_exception(error, text)
    line = None
    for row in text.getvalue().split('\\n'):
        begin = '  File "%s", line ' % path
        if row.startswith(begin):
            line = int(row[len(begin):].split(',')[0])
    return line

def _describe(error):
    text = str(error)
    kind = type(error).__name__
    return kind if text == '' else kind + ': ' + text

def _run(path, source, assignments, directory, helping):
    assignments = json.loads(assignments)
    os.chdir(directory)
    sys.path.append(directory)
    scope = dict(assignments)

    def execfile(name, *ignored):
        with _open(name) as file:
            exec(compile(_modernise(file.read()), name, 'exec'), scope)

    variables = _Variables(scope, assignments)
    predefined = {'__name__': '__main__', 'xm_file': path, 'xm_help': 1 if helping else 0, 'xm_vars': variables, 'sys': sys, 'os': os,
                  'xrange': range, 'unicode': str, 'basestring': str, 'long': int, 'unichr': chr, 'execfile': execfile, 'open': _open,
                  'raw_input': lambda *ignored: ''}
    scope.update(predefined)
    try:
        exec(compile(source, path, 'exec'), scope)
    except _Refused as error:
        return json.dumps({'kind': 'refused', 'variable': str(error.variable), 'message': error.text})
    except BaseException as error:
        return json.dumps({'kind': 'error', 'line': _place(error, path), 'message': _describe(error)})
    values = {}
    for name in scope:
        value = scope[name]
        if name[0:1] != '_' and name not in predefined and _plain(value):
            values[name] = value
    return json.dumps({'kind': 'values', 'values': values, 'declared': [{'name': name, 'use': use} for name, use in variables.declared()]})
`;
