// A small web server, to be worked on with `console-app dev`: change what it says, save, and ask again.
import { createServer } from 'node:http';

const greeting = process.env.GREETING ?? 'Hello';

const server = createServer((request, response) => {
  console.log(`${request.method} ${request.url}`);
  response.end(`${greeting} from Node.js ${process.version}\n`);
});
server.listen(8080, () => console.log('listening on 8080'));

process.on('SIGTERM', () => server.close(() => process.exit(0)));
