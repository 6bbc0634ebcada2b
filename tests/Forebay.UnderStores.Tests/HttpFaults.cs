using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Forebay.UnderStores.Tests;

/// <summary>
/// A TCP server on loopback that answers each HTTP request by a script, byte for byte, so that it can break every rule: end early,
/// reset, answer nothing, lie about ranges.
/// </summary>
internal sealed class HttpFaults : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<string, int, Answer> _answer;
    private readonly List<string> _requests = [];
    private readonly Task _accepting;

    /// <param name="answer">Head of a request and its number (from 1) → what to send.</param>
    public HttpFaults(Func<string, int, Answer> answer)
    {
        _answer = answer;
        _listener.Start();
        Endpoint = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
        _accepting = AcceptAsync();
    }

    public string Endpoint { get; }

    /// <summary>Heads of all requests so far.</summary>
    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (_requests)
            {
                return [.. _requests];
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stopping.Dispose();
    }

    /// <summary>An answer with headers and body.</summary>
    public static Answer Reply(string status, string headers, byte[] body, int? sendOnly = null, bool reset = false)
        => new(Encoding.Latin1.GetBytes($"HTTP/1.1 {status}\r\n{headers.ReplaceLineEndings("\r\n")}\r\n\r\n"), body, sendOnly ?? body.Length, reset, Close: sendOnly is not null || reset);

    /// <summary>An answer with its length in the headers.</summary>
    public static Answer Reply(string status, string headers, string body)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(body);
        return Reply(status, $"{headers}\r\nContent-Length: {bytes.Length}".TrimStart(), bytes);
    }

    /// <summary>No answer; the connection stays open.</summary>
    public static Answer Silence { get; } = new([], [], 0, Reset: false, Close: false);

    private async Task AcceptAsync()
    {
        List<Task> connections = [];
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync(_stopping.Token);
                connections.Add(ServeAsync(socket));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }

        await Task.WhenAll(connections);
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            using (socket)
            {
                while (await ReadHeadAsync(socket) is { } head)
                {
                    int number;
                    lock (_requests)
                    {
                        _requests.Add(head);
                        number = _requests.Count;
                    }

                    Answer answer = _answer(head, number);
                    await SendAsync(socket, answer.Head);
                    await SendAsync(socket, answer.Body.AsMemory(0, answer.SendOnly));
                    if (answer.Reset)
                    {
                        socket.LingerState = new LingerOption(true, 0);
                    }

                    if (answer.Close)
                    {
                        return;
                    }
                }
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException)
        {
        }
    }

    private async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, _stopping.Token)..];
        }
    }

    private async Task<string?> ReadHeadAsync(Socket socket)
    {
        StringBuilder head = new();
        byte[] one = new byte[1];
        while (await socket.ReceiveAsync(one, SocketFlags.None, _stopping.Token) == 1)
        {
            head.Append((char)one[0]);
            if (one[0] == '\n' && head.Length >= 4 && head.ToString(head.Length - 4, 4) == "\r\n\r\n")
            {
                return head.ToString();
            }
        }

        return null;
    }

    internal sealed record Answer(byte[] Head, byte[] Body, int SendOnly, bool Reset, bool Close);
}
