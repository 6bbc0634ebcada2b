using Forebay.Mounting.Messages;
using Microsoft.Win32.SafeHandles;
using Xunit.Abstractions;

namespace Forebay.Mounting.Tests;

public sealed class MessageTests(ITestOutputHelper output)
{
    private static readonly MountDescription Description = new()
    {
        Source = "s3://bücket/prefix", SourceArgument = "bücket:/prefix", Name = "data", Directory = "/mnt/data", Options = ["ro", "umask=022"], Caches = ["/c:1Gi"], Executable = "/usr/bin/forebay", ExecutableArguments = ["exec"],
        Environment = ["AWS_SECRET_ACCESS_KEY=hunter2", "PATH=/bin"], RegionBytes = 1 << 20, RuntimeDirectory = "/run/forebay", LogFile = "/var/log/x", Standby = false, Foreground = true,
    };

    [Fact]
    public void ADescriptionArrivesAsItWasSent()
    {
        MessageReader message = new(Described().Bytes);
        MountDescription read = MountDescription.Read(ref message);
        message.End();

        Assert.Equal(MessageKind.Describe, message.Kind);
        Assert.Equal((Description.Source, Description.Directory, Description.LogFile, Description.Standby, Description.Foreground), (read.Source, read.Directory, read.LogFile, read.Standby, read.Foreground));
        Assert.Equal(Description.Environment, read.Environment);
        Assert.Equal(Description.Options, read.Options);
        Assert.Equal(Description.ExecutableArguments, read.ExecutableArguments);
    }

    [Fact]
    public void NothingOfADescriptionPrintsASecret()
        => Assert.DoesNotContain("hunter2", Description.ToString(), StringComparison.Ordinal);

    [Fact]
    public void AMessageThatIsCutAnywhereIsRefused()
    {
        byte[] bytes = Described().Bytes.ToArray();
        for (int length = 0; length < bytes.Length; length++)
        {
            byte[] cut = bytes[..length];
            Assert.Throws<MalformedMessageException>(() => Read(cut));
        }

        Assert.Throws<MalformedMessageException>(() => Read([.. bytes, 0]));
    }

    [Fact]
    public void AChangedMessageIsReadOrRefusedButNothingElse()
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        byte[] bytes = Described().Bytes.ToArray();
        int refused = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] changed = [.. bytes];
            for (int n = random.Next(1, 4); n > 0; n--)
            {
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
            }

            try
            {
                Read(changed);
            }
            catch (MalformedMessageException)
            {
                refused++;
            }
        }

        Assert.True(refused > 1000, $"only {refused} were refused");
    }

    [Fact]
    public void AnotherVersionOfTheProtocolIsToldApart()
    {
        byte[] bytes = Described().Bytes.ToArray();
        bytes[4]++;

        Assert.Contains("version", Assert.Throws<MalformedMessageException>(() => Read(bytes)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DescriptorsTravelWithTheirMessage()
    {
        using TempDirectory directory = new();
        File.WriteAllText(directory["a"], "first");
        File.WriteAllText(directory["b"], "second");
        (MessageSocket left, MessageSocket right) = MessageSocket.Pair();
        using (left)
        using (right)
        using (SafeFileHandle a = File.OpenHandle(directory["a"]))
        using (SafeFileHandle b = File.OpenHandle(directory["b"]))
        {
            Assert.True(left.Send(Described(), a, b));
            using ReceivedMessage received = right.Receive()!;
            using SafeFileHandle second = received.TakeDescriptor(1)!;
            byte[] text = new byte[6];

            Assert.Equal(6, RandomAccess.Read(second, text, 0));
            Assert.Equal("second"u8.ToArray(), text);
            Assert.Null(received.TakeDescriptor(1));
            Assert.Null(received.TakeDescriptor(2));
        }
    }

    [Fact]
    public void TheEndOfTheOtherSideIsSeenByBothWays()
    {
        (MessageSocket left, MessageSocket right) = MessageSocket.Pair();
        left.Send(new MessageWriter(MessageKind.Answered));
        left.Dispose();
        using (right)
        {
            right.Receive()!.Dispose();

            Assert.Null(right.Receive());
            Assert.False(right.Send(new MessageWriter(MessageKind.Answered)));
        }
    }

    [Fact]
    public void ALargeEnvironmentFitsAndATooLargeOneIsRefused()
    {
        (MessageSocket left, MessageSocket right) = MessageSocket.Pair();
        using (left)
        using (right)
        {
            Assert.True(left.Send(new MessageWriter(MessageKind.Failed).Number(1).Text(new string('x', 100_000))));
            using ReceivedMessage received = right.Receive()!;
            MessageReader message = received.Read();
            Assert.Equal((1, 100_000), (message.Number(0, 1), message.Text().Length));
            Assert.Throws<ForebayException>(() => left.Send(new MessageWriter(MessageKind.Failed).Number(1).Text(new string('x', 200_000))));
        }
    }

    private static MessageWriter Described()
    {
        MessageWriter message = new(MessageKind.Describe);
        Description.Write(message);
        return message;
    }

    private static void Read(byte[] bytes)
    {
        MessageReader message = new(bytes);
        MountDescription.Read(ref message);
        message.End();
    }
}
