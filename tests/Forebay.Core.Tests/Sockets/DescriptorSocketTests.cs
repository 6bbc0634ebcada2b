using Forebay.Core.Sockets;
using Forebay.Testing;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Forebay.Core.Tests.Sockets;

public sealed class DescriptorSocketTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(DescriptorSocket.MostDescriptors)]
    public void DescriptorsTravelWithTheirMessage(int count)
    {
        (DescriptorSocket left, DescriptorSocket right) = DescriptorSocket.Pair();
        using (left)
        using (right)
        {
            SafeFileHandle[] sent = [.. Enumerable.Range(0, count).Select(File)];

            Assert.True(left.Send("text"u8, sent));
            byte[] buffer = new byte[10];
            int length = right.Receive(buffer, out SafeFileHandle[] received, out bool isTruncated);

            Assert.Equal("text"u8.ToArray(), buffer[..length]);
            Assert.False(isTruncated);
            Assert.Equal(Enumerable.Range(0, count).Select(i => (byte)i), received.Select(Content));
            Array.ForEach([.. sent, .. received], file => file.Dispose());
        }

        SafeFileHandle File(int i)
        {
            System.IO.File.WriteAllBytes(_directory[$"{i}"], [(byte)i]);
            return System.IO.File.OpenHandle(_directory[$"{i}"]);
        }

        static byte Content(SafeFileHandle file)
        {
            byte[] one = new byte[1];
            Assert.Equal(1, RandomAccess.Read(file, one, 0));
            return one[0];
        }
    }

    [Fact]
    public void AMessageThatIsTooLargeIsToldApart()
    {
        (DescriptorSocket left, DescriptorSocket right) = DescriptorSocket.Pair();
        using (left)
        using (right)
        {
            Assert.True(left.Send(new byte[11]));

            Assert.Equal(10, right.Receive(new byte[10], out _, out bool isTruncated));
            Assert.True(isTruncated);
            Assert.Throws<ArgumentOutOfRangeException>(() => left.Send("x"u8, new SafeFileHandle[DescriptorSocket.MostDescriptors + 1]));
        }
    }

    /// <summary>A sender of ours refuses to; others need not.</summary>
    [Fact]
    public void MoreDescriptorsThanAnyMayBringAreCutOffAndNoneOfThemStaysOpen()
    {
        string path = _directory["file"];
        (DescriptorSocket left, DescriptorSocket right) = DescriptorSocket.Pair();
        using (left)
        using (right)
        using (SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write))
        {
            SendRaw(left, "text"u8, Enumerable.Repeat(file, DescriptorSocket.MostDescriptors + 1));

            Assert.Equal(4, right.Receive(new byte[10], out SafeFileHandle[] received, out bool isTruncated));
            Assert.True(isTruncated);
            Assert.Equal(DescriptorSocket.MostDescriptors, received.Length);
            Assert.Equal(1 + DescriptorSocket.MostDescriptors, DescriptorsOf(path));
            Array.ForEach(received, one => one.Dispose());
            Assert.Equal(1, DescriptorsOf(path));
        }
    }

    [Fact]
    public void WhoMayNotWaitIsToldThatNobodyReads()
    {
        (DescriptorSocket left, DescriptorSocket right) = DescriptorSocket.Pair();
        using (left)
        using (right)
        {
            int sent = 0;
            while (left.Send(new byte[1000], waits: false))
            {
                sent++;
            }

            Assert.InRange(sent, 1, 100_000);
        }
    }

    [Fact]
    public void TheEndOfTheOtherSideAndOfPatienceEndTheWait()
    {
        (DescriptorSocket left, DescriptorSocket right) = DescriptorSocket.Pair();
        using (right)
        {
            right.SetPatience(TimeSpan.FromMilliseconds(20));
            Assert.Equal(0, right.Receive(new byte[10], out _, out _));
            Assert.False(right.Wait(TimeSpan.FromMilliseconds(1)));
            left.Dispose();

            Assert.True(right.Wait(TimeSpan.FromSeconds(20)));
            Assert.Equal(0, right.Receive(new byte[10], out _, out _));
            Assert.False(right.Send("x"u8));
        }

        Assert.Equal(0, right.Receive(new byte[10], out _, out _));
        Assert.False(right.Send("x"u8));
    }

    [Fact]
    public async Task ListeningIsForTheOwnerAndEndsWhenItIsShutDown()
    {
        using DescriptorSocket listener = DescriptorSocket.Listen(_directory["socket"], 8);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_directory["socket"]));
        using DescriptorSocket client = DescriptorSocket.Connect(_directory["socket"]);
        using DescriptorSocket accepted = listener.Accept(out bool isOver)!;
        Assert.False(isOver);
        Assert.Equal(Environment.ProcessId, accepted.Peer().Process);

        Task<bool> waiting = Task.Factory.StartNew(() => listener.Accept(out bool over) is null && over, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        listener.ShutDown();

        Assert.True(await waiting.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Throws<ForebayException>(() => DescriptorSocket.Connect(_directory["nobody"]));
        Assert.Throws<ForebayException>(() => DescriptorSocket.Connect(_directory[new string('x', 200)]));
    }

    private static unsafe void SendRaw(DescriptorSocket socket, ReadOnlySpan<byte> message, IEnumerable<SafeFileHandle> descriptors)
    {
        int[] numbers = [.. descriptors.Select(descriptor => (int)descriptor.DangerousGetHandle())];
        int bytes = sizeof(Native.ControlHeader) + (numbers.Length * sizeof(int));
        byte* control = stackalloc byte[bytes + sizeof(long)];
        *(Native.ControlHeader*)control = new Native.ControlHeader { Length = (nuint)bytes, Level = Native.SolSocket, Kind = Native.ScmRights };
        numbers.CopyTo(new Span<int>(control + sizeof(Native.ControlHeader), numbers.Length));
        fixed (byte* start = message)
        {
            Native.Vector vector = new() { Start = start, Length = (nuint)message.Length };
            Native.MessageHeader header = new() { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (nuint)((bytes + 7) & ~7) };
            Assert.Equal(message.Length, Native.SendMessage(socket.Handle, &header, 0));
        }
    }

    /// <summary>How many descriptors of this process are of a file.</summary>
    private static int DescriptorsOf(string path) => Directory.GetFileSystemEntries("/proc/self/fd").Count(entry => new FileInfo(entry).LinkTarget == path);
}
