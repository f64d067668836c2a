import { createRequire, Module } from 'node:module';

// mqtt-packet narrates each step of its parser, some twenty for a message, to the package debug, which makes an
// array of its arguments before it looks whether anybody listens: some 8 % of the acceptance path's time. Unless
// DEBUG is set, mqtt-packet gets a debug that does nothing. To be imported before aedes.
if (process.env['DEBUG'] === undefined) {
  const requireOfAedes = createRequire(import.meta.resolve('aedes'));
  const requireOfParser = createRequire(requireOfAedes.resolve('mqtt-packet'));
  const path = requireOfParser.resolve('debug');
  const silent = Object.assign(() => {}, { enabled: false });
  const replacement = Object.assign(new Module(path), {
    filename: path,
    loaded: true,
    exports: () => silent,
  });
  requireOfParser.cache[path] ??= replacement;
}
