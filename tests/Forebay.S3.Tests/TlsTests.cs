using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Forebay.Core;
using Forebay.S3.Tests.Fakes;

namespace Forebay.S3.Tests;

public sealed class TlsTests
{
    [Fact]
    public async Task AnEndpointWithACertificateServesTls()
    {
        string directory = Directory.CreateTempSubdirectory("forebay-s3").FullName;
        try
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using X509Certificate2 certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256)
                .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            var tls = new TlsOptions(Path.Combine(directory, "cert.pem"), Path.Combine(directory, "key.pem"));
            await File.WriteAllTextAsync(tls.CertificatePemPath, certificate.ExportCertificatePem());
            await File.WriteAllTextAsync(tls.KeyPemPath, key.ExportPkcs8PrivateKeyPem());
            await using TestServer server = await TestServer.StartAsync(o => o with { Tls = tls });
            server.Bucket.Put("x", new byte[600_000]);
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.GetCertHashString() == certificate.GetCertHashString() } });

            Assert.Equal(600_000, (await http.GetByteArrayAsync(new Uri($"https://127.0.0.1:{server.Uri.Port}/data/x"))).Length);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task AMissingCertificateIsNamed()
    {
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(
            () => TestServer.StartAsync(o => o with { Tls = new TlsOptions("/none/cert.pem", "/none/key.pem") }));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("/none/cert.pem", error.Message, StringComparison.Ordinal);
    }
}
