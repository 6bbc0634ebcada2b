using System.Globalization;
using Forebay.Core;
using Forebay.DataPlane.Wire;
using Microsoft.Extensions.Logging;

namespace Forebay.DataPlane;

/// <summary>
/// The node's side: lends mounts of this machine read-only descriptors of cache files that are whole and verified. Only root and the node's own user
/// are listened to, and only for what their key pair may read. Thread-safe.
/// </summary>
/// <remarks>
/// A loan holds a reference on its cache file, so that its bytes stay as they are and count against the quota until it is returned. It ends with its
/// connection at the latest: a mount that dies owes nothing. Lock order: 1. a connection's, 2. the book's.
/// </remarks>
public sealed class FileLender : IDisposable
{
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(100);

    private readonly FileLenderOptions _options;
    private readonly LenderLog _log;
    private readonly LendingSocket _listener;
    private readonly LoanBook _book;
    private readonly Lock _lock = new();
    private readonly HashSet<LenderConnection> _connections = [];
    private readonly Thread _accepting;
    private readonly ManualResetEventSlim _stop = new();
    private bool _isDisposed;

    private FileLender(FileLenderOptions options, LenderLog log)
    {
        _options = options;
        _log = log;
        _book = new LoanBook(options.MaxFiles, options.MaxBytes);
        _listener = LendingSocket.Listen(options.Path);
        _accepting = new Thread(Accept) { IsBackground = true, Name = "lend accept" };
    }

    /// <summary>Files lent now.</summary>
    public int LentFiles => _book.Files;

    /// <summary>Bytes of the files lent now.</summary>
    public long LentBytes => _book.Bytes;

    /// <summary>Mounts connected now.</summary>
    public int Connections
    {
        get
        {
            lock (_lock)
            {
                return _connections.Count;
            }
        }
    }

    /// <summary>Listens and lends from then on.</summary>
    /// <param name="options">What is lent, where and to whom.</param>
    /// <param name="time">Clock of the log, which takes a few lines a second.</param>
    /// <param name="logger">Told of mounts that are turned away or break the protocol.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/> or <see cref="ErrorKind.InvalidArgument"/>: nothing can listen at the path.</exception>
    public static FileLender Start(FileLenderOptions options, TimeProvider time, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        FileLender lender = new(options, new LenderLog(logger, time));
        lender._accepting.Start();
        return lender;
    }

    /// <summary>Ends all connections and, with them, all loans; what was lent stays readable for who has it. Once this has returned the node is asked nothing any more.</summary>
    public void Dispose()
    {
        LenderConnection[] connections;
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            connections = [.. _connections];
        }

        _stop.Set();
        _listener.Shutdown();
        _accepting.Join();
        _listener.Dispose();
        _stop.Dispose();
        foreach (LenderConnection connection in connections)
        {
            connection.Dispose();
        }

        foreach (LenderConnection connection in connections)
        {
            connection.Join();
        }

        try
        {
            File.Delete(_options.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next node replaces it.
        }
    }

    private void Accept()
    {
        while (true)
        {
            LendingSocket? socket = _listener.Accept(out bool isOver);
            if (isOver)
            {
                return;
            }

            if (socket is null)
            {
                // Descriptors or memory lack: mounts wait in the backlog meanwhile. The kernel may not say then that it is over.
                if (_stop.Wait(AcceptPause))
                {
                    return;
                }

                continue;
            }

            if (socket.PeerUser() is not { } user || (user != 0 && user != Native.EffectiveUser()))
            {
                _log.Stranger(socket.PeerUser()?.ToString(CultureInfo.InvariantCulture) ?? "unknown");
                socket.Dispose();
                continue;
            }

            LenderConnection connection = new(socket, _options, _book, _log, Forget);
            lock (_lock)
            {
                if (_isDisposed || _connections.Count >= _options.MaxConnections)
                {
                    connection.Dispose();
                    continue;
                }

                _connections.Add(connection);
            }

            if (!connection.TryStart() && _stop.Wait(AcceptPause))
            {
                return;
            }
        }
    }

    private void Forget(LenderConnection connection)
    {
        lock (_lock)
        {
            _connections.Remove(connection);
        }
    }
}
