using System.Runtime.InteropServices;
using System.Text;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane.Wire;

/// <summary>A local socket that keeps the bounds of messages (SOCK_SEQPACKET) and carries at most one descriptor with each. Sending is thread-safe; one thread receives.</summary>
internal sealed unsafe class LendingSocket : IDisposable
{
    private const int MostPathBytes = 107;
    private readonly SafeFileHandle _handle;

    private LendingSocket(SafeFileHandle handle) => _handle = handle;

    /// <summary>Listens at a path, for its owner only (0600); what is there is replaced.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/> or <see cref="ErrorKind.InvalidArgument"/>: nothing can listen there.</exception>
    public static LendingSocket Listen(string path)
    {
        LendingSocket socket = Open();
        try
        {
            File.Delete(path);
            byte[] address = AddressOf(path);
            fixed (byte* start = address)
            {
                if (Native.Bind(socket._handle, start, (uint)address.Length) != 0 || Native.Listen(socket._handle, 64) != 0)
                {
                    throw Failed($"nothing can listen at {path}");
                }
            }

            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return socket;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new ForebayException(ErrorKind.Unavailable, $"Nothing can listen at {path}: {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects to a path.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: nobody listens there.</exception>
    public static LendingSocket Connect(string path)
    {
        LendingSocket socket = Open();
        try
        {
            byte[] address = AddressOf(path);
            fixed (byte* start = address)
            {
                return Native.Connect(socket._handle, start, (uint)address.Length) == 0 ? socket : throw Failed($"nobody answers at {path}");
            }
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Waits for the next connection of a listening socket; null once it was shut down.</summary>
    public LendingSocket? Accept()
    {
        while (true)
        {
            int descriptor;
            try
            {
                descriptor = Native.Accept(_handle, 0, 0, Native.CloseOnExec);
            }
            catch (ObjectDisposedException)
            {
                return null;
            }

            if (descriptor >= 0)
            {
                return new LendingSocket(new SafeFileHandle(descriptor, ownsHandle: true));
            }

            if (Marshal.GetLastPInvokeError() != Native.Interrupted)
            {
                return null;
            }
        }
    }

    /// <summary>User on the other side, as the kernel says; null when it cannot be told.</summary>
    public uint? PeerUser()
    {
        Native.PeerCredentials credentials = default;
        uint length = (uint)sizeof(Native.PeerCredentials);
        return Native.GetSocketOption(_handle, Native.SolSocket, Native.SoPeerCredentials, &credentials, &length) == 0 ? credentials.User : null;
    }

    /// <summary>Bounds the wait of <see cref="Receive"/>; zero for none.</summary>
    public void SetPatience(TimeSpan patience)
    {
        Native.TimeValue value = new() { Seconds = (long)patience.TotalSeconds, Microseconds = patience.Microseconds + (patience.Milliseconds * 1000L) };
        try
        {
            _ = Native.SetSocketOption(_handle, Native.SolSocket, Native.SoReceiveTimeout, &value, (uint)sizeof(Native.TimeValue));
        }
        catch (ObjectDisposedException)
        {
            // Receiving will tell.
        }
    }

    /// <summary>Sends one message without waiting; the descriptor is duplicated by the kernel and stays the caller's.</summary>
    /// <returns>False when the other side is gone, or does not read what it was sent.</returns>
    public bool TrySend(ReadOnlySpan<byte> message, SafeFileHandle? descriptor = null)
    {
        fixed (byte* start = message)
        {
            Native.Vector vector = new() { Start = start, Length = (nuint)message.Length };
            Native.MessageHeader header = new() { Vectors = &vector, VectorCount = 1 };
            Native.ControlMessage control = default;
            if (descriptor is not null)
            {
                control = new Native.ControlMessage { Length = 20, Level = Native.SolSocket, Kind = Native.ScmRights, Descriptor = (int)descriptor.DangerousGetHandle() };
                header.Control = &control;
                header.ControlLength = (nuint)sizeof(Native.ControlMessage);
            }

            try
            {
                while (Native.SendMessage(_handle, &header, Native.MessageNoSignal | Native.MessageDoNotWait) < 0)
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
    /// <param name="buffer">Receives it; <see cref="LendingMessage.MaxBytes"/> long.</param>
    /// <param name="descriptor">What came with it, owned by the caller; null for none.</param>
    /// <returns>Bytes of the message; 0 when the other side is gone or silent for longer than patience lasts.</returns>
    /// <exception cref="MalformedLendingException">The message is larger than any can be, or brought more than one descriptor.</exception>
    public int Receive(Span<byte> buffer, out SafeFileHandle? descriptor)
    {
        descriptor = null;
        fixed (byte* start = buffer)
        {
            while (true)
            {
                Native.Vector vector = new() { Start = start, Length = (nuint)buffer.Length };
                Native.ControlMessage control = default;
                Native.MessageHeader header = new() { Vectors = &vector, VectorCount = 1, Control = &control, ControlLength = (nuint)sizeof(Native.ControlMessage) };
                nint length;
                try
                {
                    length = Native.ReceiveMessage(_handle, &header, Native.MessageCloseOnExec);
                }
                catch (ObjectDisposedException)
                {
                    return 0;
                }

                if (length < 0 && Marshal.GetLastPInvokeError() == Native.Interrupted)
                {
                    continue;
                }

                if (length <= 0)
                {
                    return 0;
                }

                if (header.ControlLength >= 20 && control is { Level: Native.SolSocket, Kind: Native.ScmRights, Length: 20 })
                {
                    descriptor = new SafeFileHandle(control.Descriptor, ownsHandle: true);
                }
                else if (header.ControlLength >= 24 && control is { Level: Native.SolSocket, Kind: Native.ScmRights })
                {
                    // Two fit into the padded room; neither was asked for.
                    int* both = (int*)((byte*)&control + 16);
                    new SafeFileHandle(both[0], ownsHandle: true).Dispose();
                    new SafeFileHandle(both[1], ownsHandle: true).Dispose();
                    throw new MalformedLendingException("a message brought more than one descriptor");
                }

                if ((header.Flags & (Native.MessageTruncated | Native.ControlTruncated)) != 0)
                {
                    descriptor?.Dispose();
                    descriptor = null;
                    throw new MalformedLendingException("a message was larger than any can be");
                }

                return (int)length;
            }
        }
    }

    /// <summary>Ends the connection, or the listening: whoever waits is told at once.</summary>
    public void Shutdown()
    {
        try
        {
            _ = Native.Shutdown(_handle, Native.ShutdownBoth);
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself.
        }
    }

    public void Dispose() => _handle.Dispose();

    private static LendingSocket Open()
    {
        int descriptor = Native.Socket(Native.AddressFamilyUnix, Native.SocketSeqPacket | Native.CloseOnExec, 0);
        return descriptor >= 0 ? new LendingSocket(new SafeFileHandle(descriptor, ownsHandle: true)) : throw Failed("no socket can be made");
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

    private static ForebayException Failed(string what)
        => new(ErrorKind.Unavailable, $"{char.ToUpperInvariant(what[0])}{what[1..]}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
}
