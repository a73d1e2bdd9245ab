/** JSON-RPC over a websocket that comes back when it breaks. Knows no LSP. */

export interface Peer {
  /** A connection is there, the first or another. */
  opened(): void;
  /** It is gone, for this reason; another attempt follows. */
  lost(reason: string): void;
  notified(method: string, params: unknown): void;
  asked(method: string, params: unknown): unknown;
}

export class RpcError extends Error {
  constructor(
    message: string,
    readonly code: number,
  ) {
    super(message);
  }
}

export const GONE = -1; // the code of what can have no answer any more
const AGAIN_MS = [300, 1000, 2000, 5000];

interface Waiting {
  resolve(result: unknown): void;
  reject(error: RpcError): void;
}

export class Rpc {
  private socket: WebSocket | undefined;
  private waiting = new Map<number, Waiting>();
  private asked = 0;
  private failures = 0;

  constructor(
    private readonly url: string,
    private readonly peer: Peer,
  ) {
    this.connect();
  }

  request<T>(method: string, params: unknown, token?: Cancellable): Promise<T> {
    const id = ++this.asked;
    return new Promise<T>((resolve, reject) => {
      if (!this.send({ id, method, params })) {
        reject(new RpcError('the server is not there', GONE));
        return;
      }
      this.waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      token?.onCancellationRequested(() => {
        if (this.waiting.has(id)) this.notify('$/cancelRequest', { id });
      });
    });
  }

  notify(method: string, params: unknown): void {
    this.send({ method, params });
  }

  private send(message: object): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify({ jsonrpc: '2.0', ...message }));
    return true;
  }

  private connect(): void {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.failures = 0;
      this.peer.opened();
    };
    socket.onmessage = (event) => {
      this.receive(JSON.parse(event.data as string) as Message);
    };
    socket.onclose = (event) => {
      for (const each of this.waiting.values()) each.reject(new RpcError('the server is gone', GONE));
      this.waiting.clear();
      this.peer.lost(event.reason);
      const wait = AGAIN_MS[Math.min(this.failures++, AGAIN_MS.length - 1)];
      setTimeout(() => {
        this.connect();
      }, wait);
    };
  }

  private receive(message: Message): void {
    if (message.method !== undefined) {
      if (message.id === undefined) this.peer.notified(message.method, message.params);
      else this.send({ id: message.id, result: this.peer.asked(message.method, message.params) ?? null });
      return;
    }
    const waiting = this.waiting.get(message.id as number);
    if (!waiting) return;
    this.waiting.delete(message.id as number);
    if (message.error) waiting.reject(new RpcError(message.error.message, message.error.code));
    else waiting.resolve(message.result);
  }
}

export interface Cancellable {
  onCancellationRequested(listener: () => void): unknown;
}

interface Message {
  id?: number | string;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: { message: string; code: number };
}
