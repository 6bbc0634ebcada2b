using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Core.Sockets;

/// <summary>
/// A local socket whose messages may carry open descriptors (SCM_RIGHTS, unix(7)); except for <see cref="Pair"/> of a stream it keeps the bounds of messages
/// (SOCK_SEQPACKET). Owns its descriptor. Sending is thread-safe, one thread receives; a socket that is disposed meanwhile counts as gone.
/// </summary>
public sealed unsafe class DescriptorSocket : IDisposable
{
    /// <summary>Most descriptors of one message.</summary>
    public const int MostDescriptors = 4;

    /// <summary>Most bytes of a path, UTF-8.</summary>
    public const int MostPathBytes = 107;

    private const int HeaderBytes = 16; // struct cmsghdr of 64-bit Linux
    private const int ControlBytes = HeaderBytes + (MostDescriptors * sizeof(int));
    private readonly SafeFileHandle _handle;

    /// <summary>Takes a socket over.</summary>
    /// <param name="handle">Owned by this from now on.</param>
    public DescriptorSocket(SafeFileHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        _handle = handle;
    }

    /// <summary>The handle, to pass it to another process; stays owned by this.</summary>
    public SafeFileHandle Handle => _handle;

    /// <summary>Two sockets that are connected to each other; neither is inherited by accident.</summary>
    /// <param name="isStream">Without bounds of messages (SOCK_STREAM).</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>.</exception>
    public static (DescriptorSocket First, DescriptorSocket Second) Pair(bool isStream = false)
    {
        int* pair = stackalloc int[2];
        return Native.SocketPair(Native.AddressFamilyUnix, (isStream ? Native.SocketStream : Native.SocketSeqPacket) | Native.SocketCloseOnExec, 0, pair) == 0
            ? (Own(pair[0]), Own(pair[1]))
            : throw SystemError.Last("no socket pair could be made");
    }

    /// <summary>Takes over a descriptor that was inherited, and keeps it from being inherited once more.</summary>
    public static DescriptorSocket From(int descriptor)
    {
        DescriptorSocket socket = Own(descriptor);
        _ = Native.Control(socket._handle, Native.SetDescriptorFlags, Native.CloseOnExecFlag);
        return socket;
    }

    /// <summary>Listens at a path, for its owner only (0600); what is there is replaced.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/> or <see cref="ErrorKind.InvalidArgument"/>: nothing can listen there.</exception>
    /// <exception cref="IOException">The file that is there cannot be replaced.</exception>
    /// <exception cref="UnauthorizedAccessException">As before.</exception>
    public static DescriptorSocket Listen(string path, int backlog)
    {
        DescriptorSocket socket = Open();
        try
        {
            File.Delete(path);
            byte[] address = AddressOf(path);
            fixed (byte* start = address)
            {
                if (Native.Bind(socket._handle, start, (uint)address.Length) != 0 || Native.Listen(socket._handle, backlog) != 0)
                {
                    throw SystemError.Last($"nothing can listen at {path}");
                }
            }

            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects to a path.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: nobody listens there.</exception>
    public static DescriptorSocket Connect(string path)
    {
        DescriptorSocket socket = Open();
        try
        {
            byte[] address = AddressOf(path);
            fixed (byte* start = address)
            {
                return Native.Connect(socket._handle, start, (uint)address.Length) == 0 ? socket : throw SystemError.Last($"nobody answers at {path}");
            }
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Takes the next connection of a listening socket, waiting for it.</summary>
    /// <param name="isOver">
    /// The socket was shut down or disposed: there will be no more. While descriptors lack a socket that was shut down is not told apart from one that was not: who
    /// pauses then must know by other means, too.
    /// </param>
    /// <returns>Null when it is over, and when a connection could not be taken (it went away again, or descriptors lack): ask again, after a pause.</returns>
    public DescriptorSocket? Accept(out bool isOver)
    {
        isOver = false;
        try
        {
            while (true)
            {
                int descriptor = Native.Accept(_handle, 0, 0, Native.SocketCloseOnExec);
                if (descriptor >= 0)
                {
                    return Own(descriptor);
                }

                int errno = Marshal.GetLastPInvokeError();
                if (errno != Native.Interrupted)
                {
                    isOver = errno == Native.InvalidArgument;
                    return null;
                }
            }
        }
        catch (ObjectDisposedException)
        {
            isOver = true;
            return null;
        }
    }

    /// <summary>Sends one message; the kernel duplicates the descriptors, which stay the caller's.</summary>
    /// <param name="message">At least one byte.</param>
    /// <param name="descriptors">At most <see cref="MostDescriptors"/>; none may be closed before this returns.</param>
    /// <param name="waits">Whether to wait while the other side does not read what it was sent.</param>
    /// <returns>False when the other side is gone, or nothing may be waited for.</returns>
    public bool Send(ReadOnlySpan<byte> message, ReadOnlySpan<SafeFileHandle> descriptors = default, bool waits = true)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, MostDescriptors, nameof(descriptors));
        byte* control = stackalloc byte[ControlBytes];
        fixed (byte* start = message)
        {
            Native.Vector vector = new() { Start = start, Length = (nuint)message.Length };
            Native.MessageHeader header = new() { Vectors = &vector, VectorCount = 1 };
            if (descriptors.Length > 0)
            {
                int bytes = HeaderBytes + (descriptors.Length * sizeof(int));
                *(Native.ControlHeader*)control = new Native.ControlHeader { Length = (nuint)bytes, Level = Native.SolSocket, Kind = Native.ScmRights };
                for (int i = 0; i < descriptors.Length; i++)
                {
                    ((int*)(control + HeaderBytes))[i] = (int)descriptors[i].DangerousGetHandle();
                }

                header.Control = control;
                header.ControlLength = (nuint)((bytes + 7) & ~7); // the kernel wants room for the padded whole
            }

            int flags = Native.MessageNoSignal | (waits ? 0 : Native.MessageDoNotWait);
            try
            {
                while (Native.SendMessage(_handle, &header, flags) < 0)
                {
                    if (Marshal.GetLastPInvokeError() != Native.Interrupted)
                    {
                        return false;
                    }
                }

                return true;
            }
            catch (ObjectDisposedException)
            {
                return false;
            }
        }
    }

    /// <summary>Waits for the next message.</summary>
    /// <param name="buffer">Receives it.</param>
    /// <param name="descriptors">What came with it, owned by the caller.</param>
    /// <param name="isTruncated">
    /// Not all of it came: the message was larger than the buffer, or brought more descriptors than any may, or more than this process may open now. What did come is there.
    /// </param>
    /// <returns>Bytes of the message; 0 when the other side is gone or silent for longer than <see cref="SetPatience"/> allows.</returns>
    public int Receive(Span<byte> buffer, out SafeFileHandle[] descriptors, out bool isTruncated)
    {
        descriptors = [];
        isTruncated = false;
        byte* control = stackalloc byte[ControlBytes];
        fixed (byte* start = buffer)
        {
            Native.Vector vector = new() { Start = start, Length = (nuint)buffer.Length };
            try
            {
                while (true)
                {
                    Native.MessageHeader header = new() { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = ControlBytes };
                    nint length = Native.ReceiveMessage(_handle, &header, Native.MessageCloseOnExec);
                    if (length > 0)
                    {
                        descriptors = DescriptorsOf(header, control);
                        isTruncated = (header.Flags & (Native.MessageTruncated | Native.ControlTruncated)) != 0;
                        return (int)length;
                    }

                    if (length == 0 || Marshal.GetLastPInvokeError() != Native.Interrupted)
                    {
                        return 0;
                    }
                }
            }
            catch (ObjectDisposedException)
            {
                return 0;
            }
        }
    }

    /// <summary>Waits until something can be received or the other side is gone.</summary>
    /// <returns>False when the time passed first.</returns>
    public bool Wait(TimeSpan timeout) => Readiness.Wait(_handle, timeout);

    /// <summary>Bounds the wait of <see cref="Receive"/>; zero for none.</summary>
    public void SetPatience(TimeSpan patience)
    {
        Native.TimeValue value = new() { Seconds = (long)patience.TotalSeconds, Microseconds = patience.Microseconds + (patience.Milliseconds * 1000L) };
        SetOption(Native.SoReceiveTimeout, &value, (uint)sizeof(Native.TimeValue));
    }

    /// <summary>Asks for room for what was sent and not received yet, in bytes; the kernel has a bound of its own.</summary>
    public void SetSendBuffer(int bytes) => SetOption(Native.SoSendBuffer, &bytes, sizeof(int));

    /// <summary>Who is on the other side, as the kernel says.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: it cannot be told.</exception>
    public (int Process, uint User) Peer()
    {
        Native.PeerCredentials credentials = default;
        uint length = (uint)sizeof(Native.PeerCredentials);
        return Native.GetSocketOption(_handle, Native.SolSocket, Native.SoPeerCredentials, &credentials, &length) == 0
            ? (credentials.Process, credentials.User)
            : throw SystemError.Last("the other side of a socket cannot be told");
    }

    /// <summary>Ends a wait of <see cref="Receive"/> as if the other side were gone; sending goes on.</summary>
    public void StopReceiving() => ShutDown(Native.ShutdownReceiving);

    /// <summary>Ends the connection, or the listening: whoever waits is told at once.</summary>
    public void ShutDown() => ShutDown(Native.ShutdownBoth);

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private static DescriptorSocket Own(int descriptor) => new(new SafeFileHandle(descriptor, ownsHandle: true));

    private static DescriptorSocket Open()
    {
        int descriptor = Native.Socket(Native.AddressFamilyUnix, Native.SocketSeqPacket | Native.SocketCloseOnExec, 0);
        return descriptor >= 0 ? Own(descriptor) : throw SystemError.Last("no socket can be made");
    }

    /// <summary><c>struct sockaddr_un</c>: family (2 bytes), path, zero.</summary>
    private static byte[] AddressOf(string path)
    {
        int length = Encoding.UTF8.GetByteCount(path);
        if (length > MostPathBytes)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"{path} is too long for a socket; set FOREBAY_RUNTIME_DIR to a shorter directory.");
        }

        byte[] address = new byte[2 + length + 1];
        address[0] = Native.AddressFamilyUnix;
        Encoding.UTF8.GetBytes(path, address.AsSpan(2));
        return address;
    }

    private static SafeFileHandle[] DescriptorsOf(in Native.MessageHeader header, byte* control)
    {
        var first = (Native.ControlHeader*)control;
        if (header.ControlLength < HeaderBytes || first->Level != Native.SolSocket || first->Kind != Native.ScmRights)
        {
            return [];
        }

        SafeFileHandle[] descriptors = new SafeFileHandle[((int)first->Length - HeaderBytes) / sizeof(int)];
        for (int i = 0; i < descriptors.Length; i++)
        {
            descriptors[i] = new SafeFileHandle(((int*)(control + HeaderBytes))[i], ownsHandle: true);
        }

        return descriptors;
    }

    private void SetOption(int name, void* value, uint length)
    {
        try
        {
            _ = Native.SetSocketOption(_handle, Native.SolSocket, name, value, length);
        }
        catch (ObjectDisposedException)
        {
            // Sending and receiving will tell.
        }
    }

    private void ShutDown(int how)
    {
        try
        {
            _ = Native.Shutdown(_handle, how);
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself.
        }
    }
}
