using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Forebay.Core;

namespace Forebay.Fuse;

/// <summary>Where answers go. Implemented by the session over the device, and by tests.</summary>
public interface IFuseReplySink
{
    /// <summary>Sends one message that lies in two pieces. Thread-safe.</summary>
    /// <param name="head">Begins with the header; the whole message when <paramref name="body"/> is empty.</param>
    /// <param name="body">The rest; borrowed until this returns.</param>
    /// <returns>0, or the positive errno of the kernel.</returns>
    int Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body);
}

/// <summary>
/// Turns messages of the kernel into calls of a <see cref="FuseFileSystem"/>, and its answers into messages. Knows no device: a
/// <see cref="FuseSession"/> feeds it from one, a test from bytes. Malformed messages are refused, never over-read.
/// </summary>
/// <remarks>Thread-safe. Lock order: the pool of contexts; a context; neither is held while foreign code runs.</remarks>
public sealed partial class FuseDispatcher : IDisposable
{
    private const int ContextsKept = 1024;

    private readonly Lock _lock = new();
    private readonly Stack<FuseRequestContext> _free = new();
    private readonly HashSet<FuseRequestContext> _all = [];
    private readonly FuseConnectionOptions _options;
    private readonly IFuseReplySink _sink;
    private readonly FuseEarlyInterrupts _early = new();
    private FuseBufferPool? _buffers;
    private FuseConnection? _connection;

    /// <summary>Creates a dispatcher.</summary>
    /// <param name="fileSystem">Answers the requests.</param>
    /// <param name="options">What to ask for in INIT.</param>
    /// <param name="negotiated">What a predecessor agreed on: then no INIT is expected. Null: the first message must be INIT.</param>
    /// <param name="sink">Where answers go.</param>
    /// <param name="observer">Sees answers and faults; null for nobody.</param>
    public FuseDispatcher(FuseFileSystem fileSystem, FuseConnectionOptions options, FuseConnection? negotiated, IFuseReplySink sink, FuseObserver? observer)
    {
        ArgumentNullException.ThrowIfNull(fileSystem);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(sink);
        FileSystem = fileSystem;
        _options = options;
        _sink = sink;
        Observer = observer;
        if (negotiated is not null)
        {
            Adopt(negotiated);
        }
    }

    /// <summary>Sees answers and faults; may be changed at any time.</summary>
    public FuseObserver? Observer { get; set; }

    /// <summary>What was agreed; null before INIT.</summary>
    public FuseConnection? Connection => Volatile.Read(ref _connection);

    /// <summary>Counts and times of the requests answered so far.</summary>
    public FuseStatistics Statistics { get; } = new();

    /// <summary>Requests that were not answered yet.</summary>
    public int OpenRequests
    {
        get
        {
            lock (_lock)
            {
                return _all.Count - _free.Count;
            }
        }
    }

    /// <summary>How long the request waits that has waited longest without coming forward (<see cref="FuseRequest.Renew"/>); zero when none waits.</summary>
    public TimeSpan LongestWait => Contexts().Aggregate(TimeSpan.Zero, static (longest, context) => context.Wait > longest ? context.Wait : longest);

    internal FuseFileSystem FileSystem { get; }

    internal int OutstandingBuffers => _buffers?.Outstanding ?? 0;

    /// <summary>Called when INIT ends: with null and a sentence when there is no agreement.</summary>
    internal Action<FuseConnection?, string?>? InitEnded { get; set; }

    /// <summary>Tells the file system what a predecessor agreed on, once it has all it needs to use it; before the first message.</summary>
    public void Succeed() => FileSystem.Connected(Connection!);

    /// <summary>Handles one message. What has an answer is answered now or later; no message makes this throw.</summary>
    /// <param name="message">Exactly one message with its header; borrowed until this returns.</param>
    public void Dispatch(ReadOnlySpan<byte> message)
    {
        long started = Stopwatch.GetTimestamp();
        if (!MemoryMarshal.TryRead(message, out FuseInHeader header))
        {
            Fault(FuseFaultKind.Malformed, "A message shorter than its header was dropped.", null);
            return;
        }

        FuseOperation? operation = FuseOperation.Find(header.Opcode);
        if (operation is { HasReply: false })
        {
            Notify(operation, message, header);
            return;
        }

        FuseRequestContext context = Take(header, started);
        FuseRequest request = new(context);
        long serial = context.Serial;
        try
        {
            if (_early.Contains(header.Unique))
            {
                context.Interrupt(header.Unique);
            }

            int refusal = Refusal(operation, message, header);
            if (refusal != 0)
            {
                request.ReplyError(refusal);
                return;
            }

            FuseMessageReader arguments = new(BodyOf(message, header), header.NodeId);
            if (!operation!.Handler(this, request, ref arguments))
            {
                Fault(FuseFaultKind.Malformed, $"{operation.Name} came with arguments that cannot be understood; answered with EINVAL.", null);
                request.ReplyError(Errno.EINVAL);
            }
        }
        catch (Exception error)
        {
            Fault(FuseFaultKind.Handler, $"{operation?.Name} failed: {error.Message}", error);
            if (context.TryClaim(serial))
            {
                Send(context, Errno.EIO, default);
            }
        }
        finally
        {
            context.Leave();
        }
    }

    /// <summary>Frees the buffers. Requests still open must not be answered after this.</summary>
    public void Dispose() => _buffers?.Dispose();

    internal bool Init(FuseRequest request, ref FuseMessageReader arguments)
    {
        // Before 7.36 the message is 16 bytes; what is not there counts as zero.
        Span<byte> padded = stackalloc byte[Unsafe.SizeOf<FuseInitIn>()];
        padded.Clear();
        arguments.Rest[..Math.Min(padded.Length, arguments.Rest.Length)].CopyTo(padded);
        FuseInitIn offer = MemoryMarshal.Read<FuseInitIn>(padded);
        if (offer.Major > FuseInitNegotiation.Major)
        {
            // The protocol's rule: answer with our major version and expect another INIT.
            FuseInitOut ours = new() { Major = FuseInitNegotiation.Major, Minor = FuseConnectionOptions.NewestMinor };
            request.ReplyData(MemoryMarshal.AsBytes(new ReadOnlySpan<FuseInitOut>(in ours)));
            return true;
        }

        FuseConnection? agreed = FuseInitNegotiation.Agree(offer, _options);
        if (agreed is null)
        {
            request.ReplyError(Errno.EPROTO);
            InitEnded?.Invoke(null, $"The kernel speaks FUSE {offer.Major}.{offer.Minor}; {FuseInitNegotiation.Major}.{FuseConnectionOptions.OldestMinor} or newer is needed (Linux 5.4).");
            return true;
        }

        Adopt(agreed);
        FileSystem.Connected(agreed);
        FuseInitOut answer = FuseInitNegotiation.Answer(agreed);
        request.ReplyData(MemoryMarshal.AsBytes(new ReadOnlySpan<FuseInitOut>(in answer)));
        InitEnded?.Invoke(agreed, null);
        return true;
    }

    internal bool Interrupt(ref FuseMessageReader arguments)
    {
        if (!arguments.TryTakeLast(out FuseInterruptIn interrupt))
        {
            return false;
        }

        // Remembered first: a thread that takes the request up at this moment sees it one way or the other.
        _early.Add(interrupt.Unique);
        foreach (FuseRequestContext context in Contexts())
        {
            if (context.Interrupt(interrupt.Unique))
            {
                _early.Remove(interrupt.Unique);
                break;
            }
        }

        return true;
    }

    /// <summary>The mount is gone: cancels what is open.</summary>
    internal void InterruptAll()
    {
        foreach (FuseRequestContext context in Contexts())
        {
            context.InterruptAny();
        }
    }

    internal FuseReplyBuffer RentBuffer() => _buffers!.Rent();

    internal void Send(FuseRequestContext context, int errno, ReadOnlySpan<byte> body)
    {
        FuseOutHeader header = HeaderOf(context, errno, body.Length);
        End(context, errno, body.Length, _sink.Send(MemoryMarshal.AsBytes(new ReadOnlySpan<FuseOutHeader>(in header)), body));
    }

    internal void SendBuffer(FuseRequestContext context, FuseReplyBuffer buffer, int bytes)
    {
        Span<byte> message = buffer.Message(bytes);
        MemoryMarshal.Write(message, HeaderOf(context, 0, bytes));
        End(context, 0, bytes, _sink.Send(message, default));
    }

    internal void Recycle(FuseRequestContext context)
    {
        lock (_lock)
        {
            if (_free.Count < ContextsKept)
            {
                _free.Push(context);
                return;
            }

            _all.Remove(context);
        }
    }

    internal void Fault(FuseFaultKind kind, string what, Exception? error) => Observer?.Faulted(new FuseFault(kind, what, error));

    private static FuseOutHeader HeaderOf(FuseRequestContext context, int errno, int bodyBytes)
        => new() { Length = (uint)(Unsafe.SizeOf<FuseOutHeader>() + bodyBytes), Error = -errno, Unique = context.Header.Unique };

    /// <summary>The arguments without header and extensions; the lengths were checked.</summary>
    private static ReadOnlySpan<byte> BodyOf(ReadOnlySpan<byte> message, in FuseInHeader header)
        => message[Unsafe.SizeOf<FuseInHeader>()..(message.Length - (header.ExtensionWords * 8))];

    private static bool IsWhole(FuseOperation operation, ReadOnlySpan<byte> message, in FuseInHeader header)
        => header.Length == message.Length && message.Length - Unsafe.SizeOf<FuseInHeader>() - (header.ExtensionWords * 8) >= operation.MinimumInput;

    private int Refusal(FuseOperation? operation, ReadOnlySpan<byte> message, in FuseInHeader header)
    {
        if (operation is null)
        {
            return Errno.ENOSYS;
        }

        if (!IsWhole(operation, message, header))
        {
            Fault(FuseFaultKind.Malformed, $"{operation.Name} of {message.Length} bytes is too short or says another length; answered with EINVAL.", null);
            return Errno.EINVAL;
        }

        bool isInit = operation.Opcode == FuseOpcode.Init;
        return isInit == (Connection is null) ? 0 : isInit ? Errno.EINVAL : Errno.ENOTCONN;
    }

    /// <summary>A message that has no answer.</summary>
    private void Notify(FuseOperation operation, ReadOnlySpan<byte> message, in FuseInHeader header)
    {
        try
        {
            bool isWhole = IsWhole(operation, message, header) && Connection is not null;
            FuseMessageReader arguments = new(isWhole ? BodyOf(message, header) : default, header.NodeId);
            if (isWhole && operation.Handler(this, default, ref arguments))
            {
                Statistics.Count(operation.Opcode, 0, 0, 0);
                return;
            }

            Fault(FuseFaultKind.Malformed, $"{operation.Name} of {message.Length} bytes cannot be understood; dropped.", null);
        }
        catch (Exception error)
        {
            Fault(FuseFaultKind.Handler, $"{operation.Name} failed: {error.Message}", error);
        }
    }

    private void Adopt(FuseConnection connection)
    {
        // Room for the largest READ; as many are kept as there are requests that the kernel sends ahead, within 32 MiB.
        int dataBytes = Math.Max(connection.MaxPages * 4096, 64 * 1024) + 4096;
        _buffers = new FuseBufferPool(dataBytes, Math.Clamp(32 * 1024 * 1024 / dataBytes, 4, 64));
        Volatile.Write(ref _connection, connection);
    }

    private FuseRequestContext Take(in FuseInHeader header, long started)
    {
        FuseRequestContext? context;
        lock (_lock)
        {
            if (!_free.TryPop(out context))
            {
                context = new FuseRequestContext(this);
                _all.Add(context);
            }
        }

        context.Begin(header, started);
        return context;
    }

    private FuseRequestContext[] Contexts()
    {
        lock (_lock)
        {
            return [.. _all];
        }
    }

    private void End(FuseRequestContext context, int errno, int bodyBytes, int refused)
    {
        long elapsed = Stopwatch.GetTimestamp() - context.StartTimestamp;
        FuseOpcode opcode = (FuseOpcode)context.Header.Opcode;
        Statistics.Count(opcode, errno, bodyBytes, elapsed);

        // ENOENT: the caller was killed meanwhile. ENODEV, ENOTCONN, ECONNABORTED: the mount is gone. Nobody waits for the answer.
        if (refused is not (0 or Errno.ENOENT or Errno.ENODEV or Errno.ENOTCONN or Errno.ECONNABORTED))
        {
            Fault(FuseFaultKind.Refused, $"The kernel refused the answer to {opcode} with errno {refused}.", null);
        }

        if (Observer is { } observer)
        {
            observer.Completed(new FuseCompletion(opcode, context.Header.NodeId, context.Header.Pid, errno, bodyBytes, Stopwatch.GetElapsedTime(0, elapsed), context.IsRepeated, context.Note));
        }

        context.Leave();
    }
}
