using Forebay.Core;
using Forebay.DataPlane.Wire;
using Forebay.Engine;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane;

/// <summary>
/// The mount's side: borrows whole cache files from the node of the same machine. While the node is away nothing can be borrowed, and what was borrowed
/// stays readable; a node that comes back is found again within seconds. Thread-safe.
/// </summary>
/// <remarks>One thread connects, receives, and connects again with a back-off from 100 ms to 5 s, which a connection that lasted begins anew. It waits for nothing else.</remarks>
public sealed class FileBorrower : IWholeFileSource, IDisposable
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan GreetingPatience = TimeSpan.FromSeconds(5);

    /// <summary>A node that has just begun may be slow, and nobody waits.</summary>
    private static readonly TimeSpan RenewalPatience = TimeSpan.FromSeconds(30);

    private readonly FileBorrowerOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private readonly Lock _lock = new();
    private readonly HeldLoans _held = new();
    private LendingSocket? _socket;
    private BorrowerSession? _session;

    /// <summary>Prepares; <see cref="Start"/> connects.</summary>
    /// <param name="options">Where and with whose rights.</param>
    /// <param name="time">Clock of patience, and of how long a connection lasted.</param>
    /// <param name="logger">Told when borrowing begins and ends.</param>
    public FileBorrower(FileBorrowerOptions options, TimeProvider time, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _time = time;
        _logger = logger;
        _thread = new Thread(Run) { IsBackground = true, Name = "borrow" };
    }

    /// <inheritdoc/>
    public bool IsAvailable => Volatile.Read(ref _session) is not null;

    /// <summary>The node that listens at a path, as its admin API names it; null when none does, or one of another user.</summary>
    public static Guid? NodeAt(string path)
    {
        try
        {
            using LendingSocket socket = Connect(path);
            return Greet(socket, stackalloc byte[LendingMessage.MaxBytes], default);
        }
        catch (Exception e) when (e is ForebayException or MalformedLendingException)
        {
            return null;
        }
    }

    /// <summary>Connects from now on.</summary>
    public void Start() => _thread.Start();

    /// <inheritdoc/>
    public async ValueTask<FileSegment> BorrowAsync(ObjectStat stat, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stat);
        LoanWish wish = new(_options.Prefix + stat.Key, stat.ETag, stat.Length);
        if (Volatile.Read(ref _session) is not { } session || stat.Length <= 0 || !LendingMessage.Fits(wish.Key) || !LendingMessage.Fits(stat.ETag))
        {
            return default;
        }

        Loan loan = await session.BorrowAsync(wish, _options.Patience, _time, isRenewal: false, cancellationToken);
        return loan.Descriptor is null ? default : _held.Add(loan, wish);
    }

    /// <summary>Ends the connection: the node takes back what was lent. Descriptors that are held stay readable.</summary>
    public void Dispose()
    {
        _stop.Set();
        lock (_lock)
        {
            _socket?.Shutdown();
        }

        if (_thread.IsAlive)
        {
            _thread.Join();
        }

        _stop.Dispose();
    }

    private void Run()
    {
        TimeSpan pause = ShortestPause;
        string? lastFault = null;
        bool wasSaid = false;
        while (!_stop.IsSet)
        {
            string fault;
            long? attachedAt = null;
            try
            {
                using LendingSocket socket = Connect(_options.Path);
                lock (_lock)
                {
                    if (_stop.IsSet)
                    {
                        return;
                    }

                    _socket = socket;
                }

                Attach(socket);
                attachedAt = _time.GetTimestamp();
                if (!wasSaid)
                {
                    DataPlaneLog.Borrowing(_logger, _options.Path);
                    wasSaid = true;
                }

                Receive(socket);
                fault = "the node is gone";
            }
            catch (Exception e) when (e is ForebayException or MalformedLendingException)
            {
                fault = e.Message;
            }
            finally
            {
                lock (_lock)
                {
                    _socket = null;
                }
            }

            if (attachedAt is { } began && _time.GetElapsedTime(began) >= LongestPause)
            {
                // One that ended sooner may end so each time.
                lastFault = null;
                pause = ShortestPause;
            }

            if (!_stop.IsSet && !string.Equals(fault, lastFault, StringComparison.Ordinal))
            {
                DataPlaneLog.NotBorrowing(_logger, _options.Path, fault);
                lastFault = fault;
                wasSaid = false;
            }

            _stop.Wait(pause);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>Connects to a socket of root's or of this user's: what others lend would be read as objects. Root takes the user who runs the node.</summary>
    private static LendingSocket Connect(string path)
    {
        LendingSocket socket = LendingSocket.Connect(path);
        uint self = Native.EffectiveUser();
        if (socket.PeerUser() is { } user && (user == 0 || user == self || self == 0))
        {
            socket.SetPatience(GreetingPatience);
            return socket;
        }

        socket.Dispose();
        throw new ForebayException(ErrorKind.AccessDenied, $"another user listens at {path}");
    }

    /// <summary>Receives the greeting.</summary>
    /// <param name="socket">Connected.</param>
    /// <param name="buffer">Room for a message.</param>
    /// <param name="challenge">Receives the challenge, unless empty.</param>
    private static Guid Greet(LendingSocket socket, Span<byte> buffer, Span<byte> challenge)
    {
        LendingReader hello = Next(socket, buffer, LendingMessageKind.Hello);
        Guid node = new(hello.Raw(16));
        ReadOnlySpan<byte> asked = hello.Raw(LendingMessage.ChallengeBytes);
        hello.End();
        if (!challenge.IsEmpty)
        {
            asked.CopyTo(challenge);
        }

        return node;
    }

    private static LendingReader Next(LendingSocket socket, Span<byte> buffer, LendingMessageKind kind)
    {
        int length = socket.Receive(buffer, out SafeFileHandle? unwanted);
        unwanted?.Dispose();
        if (length == 0)
        {
            throw new ForebayException(ErrorKind.Unavailable, "the node has hung up");
        }

        LendingReader message = new(buffer[..length]);
        message.Expect(kind);
        return message;
    }

    private void Attach(LendingSocket socket)
    {
        Span<byte> buffer = stackalloc byte[LendingMessage.MaxBytes];
        Span<byte> challenge = stackalloc byte[LendingMessage.ChallengeBytes];
        Span<byte> proof = stackalloc byte[LendingMessage.ProofBytes];
        proof.Clear();
        Guid node = Greet(socket, buffer, challenge);
        if (_options is { AccessKeyId: { } id, SecretAccessKey: { } secret })
        {
            LendingProof.Compute(secret, node, challenge, id, _options.Mount, proof);
        }

        LendingMessage attach = new(buffer, LendingMessageKind.Attach);
        attach.Raw(proof);
        attach.Text(_options.AccessKeyId ?? "");
        attach.Text(_options.Mount);
        if (!socket.TrySend(attach.Bytes))
        {
            throw new ForebayException(ErrorKind.Unavailable, "the node has hung up");
        }

        LendingReader answer = Next(socket, buffer, LendingMessageKind.Attached);
        LendingOutcome outcome = answer.Outcome();
        answer.End();
        if (outcome != LendingOutcome.Lent)
        {
            throw new ForebayException(ErrorKind.AccessDenied, "the node refuses this key pair");
        }

        socket.SetPatience(TimeSpan.Zero);
    }

    private void Receive(LendingSocket socket)
    {
        BorrowerSession session = new(socket);
        Volatile.Write(ref _session, session);
        try
        {
            _ = RenewAsync(session);
            session.Receive();
        }
        finally
        {
            Volatile.Write(ref _session, null);
            session.End();
        }
    }

    private async Task RenewAsync(BorrowerSession session)
    {
        try
        {
            await _held.RenewAsync(session, wish => session.BorrowAsync(wish, RenewalPatience, _time, isRenewal: true, CancellationToken.None));
        }
        catch (Exception e)
        {
            // Nobody waits for it, and what is held stays readable.
            DataPlaneLog.Failed(_logger, e);
        }
    }
}
